//! Port: a durable place outside the database for what was received while the database failed. What puts things there and
//! looks there for readers is the adapter's business; this is what a run has to do about it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::ids::ApiName;

/// Keeps received answers and tokens while the database does not take them.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenSpool: Send + Sync {
    /// Makes room for one answer and one token of each API, durably. MUST fail where that is not possible: what these
    /// APIs are going to receive could get lost. MUST leave alone what is kept there.
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError>;

    /// Moves everything that is kept into the database, each in one commit with an audit entry at `at`, and then out of
    /// the spool. What the database knows already MUST only be removed. Returns whose was moved. MUST keep what the
    /// database does not take.
    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError>;
}
