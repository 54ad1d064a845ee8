//! One time for all machines of an installation: the database's. Each machine adds to its own clock what it measured, so that a press of
//! "Get OTP" on one is as old on every other one. Ages within one boot go by the clock since boot, as always.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::clock_reading::SinceBoot;
use vega_domain::ports::Clock;

/// In microseconds. What differs by less is the time that the answer took: following it would let the time jump to and fro.
const STEADY: i64 = 5_000;
/// In microseconds. An answer that took longer tells the time too roughly.
const PROMPT: i64 = 500_000;
/// In microseconds. A clock that is further away is worth a word.
const FAR: i64 = 2_000_000;

/// How far the database's clock is ahead of this machine's.
#[derive(Default)]
pub(crate) struct ClockOffset {
    machine: OnceLock<Arc<dyn Clock>>,
    micros: AtomicI64,
}

impl fmt::Debug for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClockOffset")
            .field(&self.micros.load(Ordering::Relaxed))
            .finish()
    }
}

impl ClockOffset {
    /// The machine's clock, which is compared from now on.
    pub(crate) fn of(&self, machine: Arc<dyn Clock>) {
        let _ = self.machine.set(machine);
    }

    /// The machine's time in microseconds, to be read before and after the database is asked.
    pub(crate) fn machine_micros(&self) -> Option<i64> {
        Some(self.machine.get()?.now().timestamp_micros())
    }

    /// Takes in that the database's time was `database` between these two.
    pub(crate) fn measured(&self, before: Option<i64>, database: i64, after: Option<i64>) {
        let (Some(before), Some(after)) = (before, after) else {
            return;
        };
        let took = after - before;
        if !(0..=PROMPT).contains(&took) {
            return;
        }
        let (found, known) = (
            database - (before + took / 2),
            self.micros.load(Ordering::Relaxed),
        );
        if (found - known).abs() <= STEADY + took / 2 {
            return;
        }
        if (found - known).abs() > FAR {
            tracing::warn!(
                "this machine's clock is {} s away from the database's, which counts on all machines. Let NTP set both",
                found / 1_000_000
            );
        }
        self.micros.store(found, Ordering::Relaxed);
    }
}

/// The database's time.
pub(crate) struct InstallationClock {
    machine: Arc<dyn Clock>,
    offset: Arc<ClockOffset>,
}

impl InstallationClock {
    pub(crate) fn new(machine: Arc<dyn Clock>, offset: Arc<ClockOffset>) -> Self {
        Self { machine, offset }
    }

    fn offset(&self) -> i64 {
        self.offset.micros.load(Ordering::Relaxed)
    }
}

impl Clock for InstallationClock {
    fn now(&self) -> DateTime<Utc> {
        self.machine.now() + TimeDelta::microseconds(self.offset())
    }

    fn coarse_micros(&self) -> i64 {
        self.machine.coarse_micros() + self.offset()
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        self.machine.since_boot()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    struct Fixed(i64);

    impl Clock for Fixed {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_micros(self.0).unwrap()
        }
    }

    const NOW: i64 = 1_790_000_000_000_000;
    const MINUTE: i64 = 60_000_000;

    /// Each measure: what the machine's clock said before and after, and the database's, from now on in microseconds.
    #[rstest]
    #[case::behind(&[(0, 10 * MINUTE + 1_000, 2_000)], 10 * MINUTE)]
    #[case::ahead(&[(0, -10 * MINUTE + 1_000, 2_000)], -10 * MINUTE)]
    #[case::as_far_as_the_answer_took(&[(0, 3_000, 2_000)], 0)]
    #[case::jitter_is_not_followed(&[(0, MINUTE, 0), (0, MINUTE + 4_000, 0)], MINUTE)]
    #[case::a_jump_is(&[(0, MINUTE, 0), (0, -MINUTE, 0)], -MINUTE)]
    #[case::a_late_answer_tells_nothing(&[(0, MINUTE, 600_000)], 0)]
    #[case::a_clock_set_back_meanwhile_tells_nothing(&[(0, MINUTE, -1)], 0)]
    fn the_databases_time_counts(#[case] measures: &[(i64, i64, i64)], #[case] offset: i64) {
        let known = Arc::new(ClockOffset::default());
        let machine: Arc<dyn Clock> = Arc::new(Fixed(NOW));
        known.of(Arc::clone(&machine));
        for (before, database, after) in measures {
            known.measured(Some(NOW + before), NOW + database, Some(NOW + after));
        }
        let clock = InstallationClock::new(machine, known);
        assert_eq!(clock.now().timestamp_micros(), NOW + offset);
        assert_eq!(clock.coarse_micros(), NOW + offset);
    }
}
