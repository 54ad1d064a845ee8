//! A point in time by two clocks: the wall clock, which people and NTP may set, and the time since boot, which nobody
//! sets. How long ago something was is told by the second one as long as the computer was not started anew.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReading {
    /// By the wall clock.
    pub at: DateTime<Utc>,
    /// By the clock that nobody sets, where the system has one.
    pub since_boot: Option<SinceBoot>,
}

/// A time that runs evenly from boot on, also while the computer sleeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinceBoot {
    /// Which boot; two times of different boots cannot be compared.
    pub boot: String,
    /// How long ago it was.
    pub elapsed: Duration,
}

impl ClockReading {
    /// By the wall clock alone.
    pub fn by_wall_clock(at: DateTime<Utc>) -> Self {
        Self { at, since_boot: None }
    }

    /// How long ago this was at `now`. Something that seems to lie in the future was just now: whatever waits for it
    /// to be over, waits no longer than from now on.
    pub fn age(&self, now: &Self) -> Duration {
        match (&self.since_boot, &now.since_boot) {
            (Some(then), Some(now)) if then.boot == now.boot => now.elapsed.saturating_sub(then.elapsed),
            _ => (now.at - self.at).to_std().unwrap_or_default(),
        }
    }

    /// Whether it seems to lie after `now`, and no even clock tells when it was.
    pub fn is_misdated(&self, now: &Self) -> bool {
        let same_boot =
            matches!((&self.since_boot, &now.since_boot), (Some(then), Some(now)) if then.boot == now.boot);
        !same_boot && self.at > now.at
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn moment(wall: i64, boot: Option<(&str, u64)>) -> ClockReading {
        ClockReading {
            at: DateTime::from_timestamp(1_790_000_000 + wall, 0).unwrap(),
            since_boot: boot.map(|(boot, seconds)| SinceBoot {
                boot: boot.into(),
                elapsed: Duration::from_secs(seconds),
            }),
        }
    }

    #[rstest]
    #[case::both_agree(moment(0, Some(("a", 100))), moment(60, Some(("a", 160))), 60, false)]
    #[case::set_forward(moment(0, Some(("a", 100))), moment(3_660, Some(("a", 160))), 60, false)]
    #[case::set_back(moment(0, Some(("a", 100))), moment(-3_600, Some(("a", 160))), 60, false)]
    #[case::another_boot(moment(0, Some(("a", 100))), moment(60, Some(("b", 5))), 60, false)]
    #[case::another_boot_set_back(moment(0, Some(("a", 100))), moment(-60, Some(("b", 5))), 0, true)]
    #[case::wall_clock_alone(moment(0, None), moment(60, Some(("b", 5))), 60, false)]
    #[case::from_the_future(moment(0, None), moment(-60, None), 0, true)]
    fn an_age_is_told_by_the_clock_that_nobody_sets(
        #[case] then: ClockReading,
        #[case] now: ClockReading,
        #[case] seconds: u64,
        #[case] misdated: bool,
    ) {
        assert_eq!(then.age(&now), Duration::from_secs(seconds));
        assert_eq!(then.is_misdated(&now), misdated);
    }
}
