//! Ports: the audit trail. Changes carry their entry through their own port; `AuditTrail` is for what happens without a
//! change, `AuditHistory` for whoever reads the trail or doubts it.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::{AuditEntry, AuditFilter, AuditOrder, AuditVerdict, RecordedEntry};
use crate::ids::RunId;
use crate::secret::AccessToken;

/// Append-only record of what happened.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Appends one entry durably. An entry MUST never be changed or removed afterwards, and a change of it, of its place
    /// or of the entries before it MUST be found by `AuditHistory::verify`.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Appends one entry about a token that is stored nowhere. The entry MUST tell it apart from other tokens, in the same way
    /// as the entries about stored ones do, and MUST NOT make it readable.
    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError>;

    /// Keeps the trail's last entry on record outside the database, at the end of a run. A trail that is cut before it
    /// MUST be found by `AuditHistory::verify`.
    async fn keep_checkpoint(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError>;
}

/// The record, read and examined.
#[async_trait]
pub trait AuditHistory: Send + Sync {
    /// The wanted entries that come after the entry `after` in this order, `limit` at most. Without `after` it begins with
    /// the first one of the order.
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError>;

    /// Looks whether all entries are those that were written, and whether the trail goes on from each checkpoint that was
    /// kept: beside the key, or in a copy of that file. Trails MUST NOT be compared with checkpoints of another database.
    async fn verify<'a>(&'a self, checkpoints: Option<&'a Path>) -> Result<AuditVerdict, StoreError>;
}
