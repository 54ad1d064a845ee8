//! When an account's sign-ins are closed: by a stop, until the operator opens it again, or by a cooldown, until a time.

use chrono::{DateTime, Utc};

use crate::failure::Failure;
use crate::ids::{AccountId, MobileNumber};

/// One account whose sign-ins are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// Whose, by the operator's name for it.
    pub account: AccountId,
    /// The login that is closed, whatever the operator calls the account.
    pub mobile_number: MobileNumber,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; `None` is a stop, which only the operator's word ends.
    pub until: Option<DateTime<Utc>>,
    /// Why.
    pub failure: Failure,
}

impl Cooldown {
    /// Whether only the operator can end it.
    pub fn is_stop(&self) -> bool {
        self.until.is_none()
    }

    /// Whether sign-ins are closed at `now`.
    pub fn is_closed(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rstest::rstest;

    use super::*;
    use crate::failure::FailureReason;

    #[rstest]
    #[case::at_once(0, true)]
    #[case::in_its_last_second(659, true)]
    #[case::at_its_end(660, false)]
    #[case::clock_set_back(-3600, true)]
    fn a_cooldown_ends_by_itself_and_a_stop_does_not(#[case] seconds: i64, #[case] is_closed: bool) {
        let since = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut cooldown = Cooldown {
            account: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since,
            until: Some(since + TimeDelta::minutes(11)),
            failure: Failure::new(FailureReason::Throttled, ""),
        };
        let now = since + TimeDelta::seconds(seconds);
        assert_eq!((cooldown.is_closed(now), cooldown.is_stop()), (is_closed, false));
        cooldown.until = None;
        assert_eq!((cooldown.is_closed(now), cooldown.is_stop()), (true, true));
    }
}
