//! Port: one sign-in at a time per installation.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::StoreError;
use crate::expiry::in_ist;

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

/// As people find it: `process 4711 on desk1, since 08:45:01 IST`.
impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = in_ist(self.since).format("%H:%M:%S");
        write!(f, "process {} on {}, since {since} IST", self.pid, self.host)
    }
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

    /// Who has the lease now; while a process takes it, the name may still be that of the one before. MUST tell of nobody
    /// once it was given back or its holder died, and MUST NOT refuse it to anybody
    /// (`who_has_the_lease_is_told_while_it_is_held`, `a_dead_process_leaves_the_lease_to_the_next`,
    /// `who_looks_refuses_the_lease_to_nobody`).
    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError>;
}
