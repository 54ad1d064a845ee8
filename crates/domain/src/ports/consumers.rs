//! Port: which programs use tokens, and which of them are stopped.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::consumer::{ConsumerIdentity, ConsumerStop, ConsumerUse};

/// What is stored of consumers.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Consumers: Send + Sync {
    /// Everything that was recorded, of whichever server; by name and API.
    async fn uses(&self) -> Result<Vec<ConsumerUse>, StoreError>;

    /// Records what was seen, and forgets who was seen last before `forgotten_before`. MUST NOT replace what was seen later
    /// (`what_was_seen_later_of_a_consumer_is_kept`).
    async fn record(&self, seen: &[ConsumerUse], forgotten_before: DateTime<Utc>) -> Result<(), StoreError>;

    /// Who is stopped. MUST NOT be changed by what is recorded of uses (`a_consumer_stays_stopped_until_it_is_opened`).
    async fn stops(&self) -> Result<Vec<ConsumerStop>, StoreError>;

    /// Stops a consumer, in one commit with `audit`. Returns whether it was not stopped before; if it was, nothing is written
    /// (`a_consumer_stays_stopped_until_it_is_opened`).
    async fn stop(&self, stop: &ConsumerStop, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Opens it again, in one commit with `audit`. Returns whether it was stopped; if it was not, nothing is written
    /// (`a_consumer_stays_stopped_until_it_is_opened`).
    async fn open(&self, identity: &ConsumerIdentity, audit: &AuditEntry) -> Result<bool, StoreError>;
}
