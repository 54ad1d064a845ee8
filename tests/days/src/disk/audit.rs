//! The audit trail of what happens without a change of its own.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditTrail, StoreError};

use super::{Done, Store};

#[async_trait]
impl AuditTrail for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("entry {}: {}", entry.kind.code(), entry.detail);
        self.commit(&what, AuditKind::ALL, |_| Ok(Done::with((), entry)))
            .await
    }

    async fn keep_head(&self, _run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        self.here.point().await;
        Ok(())
    }
}
