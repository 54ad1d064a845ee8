//! Closed accounts in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use vega_domain::audit::AuditEntry;
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::moment::Moment;
use vega_domain::ports::{CooldownRepository, StoreError};

use crate::audit_trail;
use crate::data_source::{DataSource, failed, unreadable};
use crate::moment_columns::{moment, since_boot};

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
            "SELECT mobile_number, account, since, boot, since_boot_ms, length_ms, reason, detail
             FROM cooldowns ORDER BY account",
        )
        .fetch_all(self.0.reader())
        .await
        .map_err(failed("read the closed accounts"))?;
        rows.into_iter().map(CooldownRow::into_cooldown).collect()
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "close an account's sign-ins";
        let (boot, since_boot_ms) = since_boot(&cooldown.since);
        let length = cooldown.length;
        let mut tx = self.0.write().await?;
        let changed = sqlx::query(
            "INSERT INTO cooldowns (mobile_number, account, since, boot, since_boot_ms, length_ms, reason, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (mobile_number) DO UPDATE SET account = excluded.account, since = excluded.since,
                 boot = excluded.boot, since_boot_ms = excluded.since_boot_ms, length_ms = excluded.length_ms,
                 reason = excluded.reason, detail = excluded.detail
             WHERE length_ms IS NOT NULL OR excluded.length_ms IS NULL",
        )
        .bind(cooldown.mobile_number.digits())
        .bind(cooldown.account.as_str())
        .bind(cooldown.since.at)
        .bind(boot)
        .bind(since_boot_ms)
        .bind(length.map(|length| i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
        .bind(cooldown.failure.reason.code())
        .bind(&cooldown.failure.detail)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        if changed.rows_affected() == 0 {
            return Ok(());
        }
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn redate(&self, cooldown: &Cooldown, since: &Moment) -> Result<(), StoreError> {
        const DOING: &str = "date a cooldown anew";
        let (boot, since_boot_ms) = since_boot(since);
        let mut tx = self.0.write().await?;
        sqlx::query(
            "UPDATE cooldowns SET since = $3, boot = $4, since_boot_ms = $5 WHERE mobile_number = $1 AND since = $2",
        )
        .bind(cooldown.mobile_number.digits())
        .bind(cooldown.since.at)
        .bind(since.at)
        .bind(boot)
        .bind(since_boot_ms)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "open an account's sign-ins";
        let mut tx = self.0.write().await?;
        let removed = sqlx::query("DELETE FROM cooldowns WHERE mobile_number = $1 AND since = $2")
            .bind(cooldown.mobile_number.digits())
            .bind(cooldown.since.at)
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
    boot: Option<String>,
    since_boot_ms: Option<i64>,
    length_ms: Option<i64>,
    reason: String,
    detail: String,
}

impl CooldownRow {
    fn into_cooldown(self) -> Result<Cooldown, StoreError> {
        let reason = FailureReason::parse(&self.reason).map_err(unreadable)?;
        Ok(Cooldown {
            account: AccountId::new(self.account).map_err(unreadable)?,
            mobile_number: MobileNumber::new(self.mobile_number).map_err(unreadable)?,
            since: moment(self.since, self.boot, self.since_boot_ms),
            length: self
                .length_ms
                .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default())),
            failure: Failure::new(reason, self.detail),
        })
    }
}
