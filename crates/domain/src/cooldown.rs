//! When an account's sign-ins are closed: by a stop, until the operator opens it again, or by a cooldown, for a length of
//! time that no clock setting makes longer or shorter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::failure::Failure;
use crate::ids::{AccountId, MobileNumber};
use crate::moment::Moment;

/// One account whose sign-ins are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// Whose, by the operator's name for it.
    pub account: AccountId,
    /// The login that is closed, whatever the operator calls the account.
    pub mobile_number: MobileNumber,
    /// Since when.
    pub since: Moment,
    /// How long; `None` is a stop, which only the operator's word ends.
    pub length: Option<Duration>,
    /// Why.
    pub failure: Failure,
}

impl Cooldown {
    /// Whether only the operator can end it.
    pub fn is_stop(&self) -> bool {
        self.length.is_none()
    }

    /// Whether sign-ins are closed at `now`.
    pub fn is_closed(&self, now: &Moment) -> bool {
        self.length.is_none_or(|length| self.since.age(now) < length)
    }

    /// How long it still lasts; `None` for a stop.
    pub fn left(&self, now: &Moment) -> Option<Duration> {
        Some(self.length?.saturating_sub(self.since.age(now)))
    }

    /// When it ends, by the wall clock as it is now; `None` for a stop.
    pub fn until(&self, now: &Moment) -> Option<DateTime<Utc>> {
        now.at
            .checked_add_signed(TimeDelta::from_std(self.left(now)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::failure::FailureReason;
    use crate::moment::SinceBoot;

    const LENGTH: Duration = Duration::from_mins(11);

    /// `seconds` after a start, by a wall clock that is `ahead` of the truth.
    fn moment(seconds: u64, ahead: i64) -> Moment {
        let wall = 1_800_000_000 + i64::try_from(seconds).unwrap() + ahead;
        Moment {
            at: DateTime::from_timestamp(wall, 0).unwrap(),
            since_boot: Some(SinceBoot {
                boot: "this".into(),
                elapsed: Duration::from_secs(seconds),
            }),
        }
    }

    #[rstest]
    #[case::at_once(0, 0, Some(660))]
    #[case::in_its_last_second(659, 0, Some(1))]
    #[case::at_its_end(660, 0, None)]
    #[case::clock_set_back(100, -3600, Some(560))]
    #[case::clock_set_forward(100, 3600, Some(560))]
    fn a_cooldown_ends_by_itself_and_a_stop_does_not(
        #[case] seconds: u64,
        #[case] ahead: i64,
        #[case] left: Option<u64>,
    ) {
        let mut cooldown = Cooldown {
            account: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: moment(0, 0),
            length: Some(LENGTH),
            failure: Failure::new(FailureReason::Throttled, ""),
        };
        let now = moment(seconds, ahead);
        let rest = Duration::from_secs(left.unwrap_or_default());
        assert_eq!(
            (cooldown.is_closed(&now), cooldown.is_stop()),
            (left.is_some(), false)
        );
        assert_eq!(cooldown.left(&now), Some(rest));
        assert_eq!(cooldown.until(&now), Some(now.at + rest));
        cooldown.length = None;
        assert_eq!((cooldown.is_closed(&now), cooldown.is_stop()), (true, true));
        assert_eq!((cooldown.left(&now), cooldown.until(&now)), (None, None));
    }
}
