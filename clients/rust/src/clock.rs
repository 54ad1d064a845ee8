//! The time of day, by which tokens die. The only place of this crate that asks the system for it.

use std::time::SystemTime;

/// Where a source takes the time from. Tests hand in their own.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The system's time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this crate's only source of time")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
