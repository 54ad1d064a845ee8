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
    /// APIs are going to receive could get lost (`where_no_room_can_be_made_nothing_is_called_kept`). MUST leave alone
    /// what is kept there (`room_that_is_made_again_leaves_what_is_kept`).
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError>;

    /// Whether nothing is kept that could be moved.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// Moves everything that is kept into the database, each in one commit with an audit entry at `at`, and then out of
    /// the spool. What the database knows already MUST only be removed
    /// (`what_the_database_knows_already_is_only_removed`). Returns whose was moved. MUST keep what the database does
    /// not take (`what_the_database_does_not_take_stays_in_the_spool`). To be called by whoever has the sign-in lease: an answer
    /// may open its attempt again.
    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError>;
}
