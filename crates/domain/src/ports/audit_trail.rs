//! Port: the audit trail, for events that change nothing else. Changes carry their entry through their own port.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;

/// Append-only record of what happened.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Appends one entry durably. An entry MUST never be changed or removed afterwards.
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;
}
