//! The system's clock: the one place that asks for the time.

use chrono::{DateTime, SubsecRound, Utc};
use vega_domain::ports::Clock;

/// The system's time, cut to microseconds so that what is stored reads back equal.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the home of the system's time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
