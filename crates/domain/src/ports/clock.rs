//! Port: the only source of time.

use chrono::{DateTime, Utc};

/// Tells the time. Lints forbid asking the system elsewhere.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Send + Sync {
    /// The current time in UTC. MUST have no part finer than a microsecond, so that what is stored reads back equal.
    fn now(&self) -> DateTime<Utc>;
}
