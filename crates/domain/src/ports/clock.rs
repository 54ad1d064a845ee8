//! Port: the only source of time.

use chrono::{DateTime, Utc};

use crate::clock_reading::{ClockReading, SinceBoot};

/// Tells the time. Lints forbid asking the system elsewhere.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Send + Sync {
    /// The current time in UTC. MUST have no part finer than a microsecond, so that what is stored reads back equal
    /// (`the_time_has_no_part_finer_than_a_microsecond`).
    fn now(&self) -> DateTime<Utc>;

    /// The Unix time in microseconds, for those who cannot wait: cheaper to read than `now`. It may lag by a tick of the
    /// system, and by as long as a hypervisor lets the machine stand still, so who decides by it leaves room.
    fn coarse_micros(&self) -> i64 {
        self.now().timestamp_micros()
    }

    /// The time since boot, where the system tells it. It runs evenly, whatever happens to the wall clock.
    fn since_boot(&self) -> Option<SinceBoot> {
        None
    }

    /// This moment by both clocks.
    fn reading(&self) -> ClockReading {
        ClockReading {
            at: self.now(),
            since_boot: self.since_boot(),
        }
    }
}
