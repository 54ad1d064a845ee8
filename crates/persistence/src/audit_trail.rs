//! The audit trail in SQLite. Other repositories write their entries through `insert`, inside their own commit.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::ports::{AuditTrail, StoreError};

use crate::data_source::{DataSource, failed};

/// `AuditTrail` over SQLite.
#[derive(Debug, Clone)]
pub struct SqliteAuditTrail(DataSource);

impl SqliteAuditTrail {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl AuditTrail for SqliteAuditTrail {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.0.write().await?;
        insert(&mut tx, entry).await?;
        tx.commit().await.map_err(failed("append to the audit trail"))
    }
}

/// Writes one entry inside a transaction that is already open.
pub(crate) async fn insert(tx: &mut SqliteConnection, entry: &AuditEntry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_events (at, kind, account, api, run_id, detail) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(entry.at)
    .bind(entry.kind.code())
    .bind(entry.account.as_ref().map(AccountId::as_str))
    .bind(entry.api.as_ref().map(ApiName::as_str))
    .bind(entry.run.map(|run| run.as_uuid()))
    .bind(&entry.detail)
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("write an audit entry"))
}
