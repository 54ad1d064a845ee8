//! Closed accounts in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use vega_domain::audit::AuditEntry;
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::ports::{CooldownRepository, StoreError};

use crate::audit_trail;
use crate::data_source::{DataSource, failed, unreadable};

/// `CooldownRepository` over SQLite.
#[derive(Debug, Clone)]
pub struct SqliteCooldownRepository(DataSource);

impl SqliteCooldownRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl CooldownRepository for SqliteCooldownRepository {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        let rows: Vec<CooldownRow> = sqlx::query_as(
            "SELECT mobile_number, account, since, closed_until, reason, detail FROM cooldowns ORDER BY account",
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed("read the closed accounts"))?;
        rows.into_iter().map(CooldownRow::into_cooldown).collect()
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "close an account's sign-ins";
        let mut tx = self.0.write().await?;
        sqlx::query(
            "INSERT INTO cooldowns (mobile_number, account, since, closed_until, reason, detail)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (mobile_number) DO UPDATE SET account = excluded.account, since = excluded.since,
                 closed_until = excluded.closed_until, reason = excluded.reason, detail = excluded.detail
             WHERE closed_until IS NOT NULL OR excluded.closed_until IS NULL",
        )
        .bind(cooldown.mobile_number.digits())
        .bind(cooldown.account.as_str())
        .bind(cooldown.since)
        .bind(cooldown.until)
        .bind(cooldown.failure.reason.code())
        .bind(&cooldown.failure.detail)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "open an account's sign-ins";
        let mut tx = self.0.write().await?;
        let removed = sqlx::query("DELETE FROM cooldowns WHERE mobile_number = $1 AND since = $2")
            .bind(cooldown.mobile_number.digits())
            .bind(cooldown.since)
            .execute(&mut *tx)
            .await
            .map_err(failed(DOING))?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(true)
    }
}

#[derive(FromRow)]
struct CooldownRow {
    mobile_number: String,
    account: String,
    since: DateTime<Utc>,
    closed_until: Option<DateTime<Utc>>,
    reason: String,
    detail: String,
}

impl CooldownRow {
    fn into_cooldown(self) -> Result<Cooldown, StoreError> {
        let reason = FailureReason::parse(&self.reason).map_err(unreadable)?;
        Ok(Cooldown {
            account: AccountId::new(self.account).map_err(unreadable)?,
            mobile_number: MobileNumber::new(self.mobile_number).map_err(unreadable)?,
            since: self.since,
            until: self.closed_until,
            failure: Failure::new(reason, self.detail),
        })
    }
}
