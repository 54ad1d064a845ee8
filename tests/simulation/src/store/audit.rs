//! The audit trail of what happens without a change of its own.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder, AuditVerdict, RecordedEntry};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditHistory, AuditTrail, StoreError};
use vega_domain::secret::AccessToken;

use super::Store;

impl Store {
    async fn appends(
        &self,
        entry: &AuditEntry,
        call: impl Future<Output = Result<(), StoreError>> + Send,
    ) -> Result<(), StoreError> {
        let what = format!("entry {}: {}", entry.kind.code(), entry.detail);
        self.commit(&what, AuditKind::ALL, call, |(), _| ()).await
    }
}

#[async_trait]
impl AuditTrail for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.appends(entry, self.memory().append(entry)).await
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        self.appends(entry, self.memory().append_about(entry, token))
            .await
    }

    async fn keep_checkpoint(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let call = self.memory().keep_checkpoint(run, at);
        self.commit("a checkpoint", &[], call, |(), _| ()).await
    }
}

#[async_trait]
impl AuditHistory for Store {
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError> {
        self.look(self.memory().page(filter, order, after, limit)).await
    }

    async fn verify<'a>(&'a self, checkpoints: Option<&'a Path>) -> Result<AuditVerdict, StoreError> {
        self.look(self.memory().verify(checkpoints)).await
    }
}
