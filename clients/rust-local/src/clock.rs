//! The time of day, by which tokens die. The only place of this crate that asks the system for it.

use chrono::{DateTime, SubsecRound, Utc};
use vega_domain::ports::Clock;

/// The system's time, cut to microseconds as stored times are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this crate's only source of time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
