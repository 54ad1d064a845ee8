//! Port: one sign-in at a time per installation.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::StoreError;

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether that is this very process. Not told by its number, which another machine, another container or an earlier
    /// process may have had.
    pub is_this_process: bool,
}

/// Why the lease was not given.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another process signs in now.
    #[error("another Vega signs in now")]
    Held(Option<LeaseHolder>),
    /// The lease could not be asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The held lease; dropping it gives it back.
pub trait Lease: Send + Sync + std::fmt::Debug {}

/// One sign-in at a time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LoginLease: Send + Sync {
    /// Takes the lease or says who has it; never waits. MUST be free again as soon as the holder's process is dead,
    /// however it died (`a_dead_process_leaves_the_lease_to_the_next`). MUST never be held twice
    /// (`the_lease_is_held_once_and_free_when_it_is_given_back`, `never_1_two_sign_ins_at_once`).
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError>;
}
