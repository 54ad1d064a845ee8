//! When an account's sign-ins are closed: by a stop, until the operator opens it again, or by a cooldown, for a length of
//! time that no clock setting makes longer or shorter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock_reading::ClockReading;
use crate::failure::{Failure, RecoveryAction};
use crate::ids::{AccountId, MobileNumber};
use crate::no_token::Closed;

/// What ends a closed account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountHold {
    /// Time.
    Cooldown {
        /// How long it lasts.
        length: Duration,
    },
    /// The operator's word alone.
    Stop,
}

/// One account whose sign-ins are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// Whose, by the operator's name for it.
    pub account: AccountId,
    /// The login that is closed, whatever the operator calls the account.
    pub mobile_number: MobileNumber,
    /// Since when.
    pub since: ClockReading,
    /// Until when.
    pub hold: AccountHold,
    /// Why.
    pub failure: Failure,
}

impl Cooldown {
    /// As a stop or as a cooldown.
    pub fn closed(&self) -> Closed<&Self> {
        if self.is_stop() {
            Closed::Stop(self)
        } else {
            Closed::Cooldown(self)
        }
    }

    /// Whether only the operator can end it.
    pub fn is_stop(&self) -> bool {
        self.hold == AccountHold::Stop
    }

    /// Whether sign-ins are closed at `now`.
    pub fn is_closed(&self, now: &ClockReading) -> bool {
        match self.hold {
            AccountHold::Cooldown { length } => self.since.age(now) < length,
            AccountHold::Stop => true,
        }
    }

    /// How long it still lasts; `None` for a stop.
    pub fn left(&self, now: &ClockReading) -> Option<Duration> {
        match self.hold {
            AccountHold::Cooldown { length } => Some(length.saturating_sub(self.since.age(now))),
            AccountHold::Stop => None,
        }
    }

    /// What lifts it, here and in the console, and what that risks.
    pub fn way_out(&self) -> String {
        let command = format!("`vega cooldown clear {} --reason TEXT`", self.account);
        if self.is_stop() {
            return format!(
                "Once the cause is gone, your yes to the next plan opens it, in the console or with `vega` in a terminal; \
                 {command} opens it without one. Another refusal may lock the account at Upstox."
            );
        }
        let then = match self.failure.reason.recovery_action() {
            RecoveryAction::CoolDownThenAsk => "asks again",
            _ => "goes on by itself",
        };
        format!(
            "A run waits until then and {then}, whether it was begun in the console or with `vega`. {command} opens it at \
             once; if it is too early, Upstox refuses the next OTP too, and the wait begins anew."
        )
    }

    /// When it ends, by the wall clock as it is now; `None` for a stop.
    pub fn until(&self, now: &ClockReading) -> Option<DateTime<Utc>> {
        now.at
            .checked_add_signed(TimeDelta::from_std(self.left(now)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::clock_reading::SinceBoot;
    use crate::failure::FailureReason;

    const COOLDOWN: AccountHold = AccountHold::Cooldown {
        length: Duration::from_mins(11),
    };

    #[test]
    fn whatever_is_closed_says_what_lifts_it_and_what_that_risks() {
        let mut closed = Cooldown {
            account: AccountId::new("second").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: moment(0, 0),
            hold: COOLDOWN,
            failure: Failure::new(FailureReason::Throttled, ""),
        };
        for (hold, reason, words, risk) in [
            (
                COOLDOWN,
                FailureReason::Throttled,
                "goes on by itself",
                "refuses the next OTP",
            ),
            (
                COOLDOWN,
                FailureReason::OtpTimeout,
                "asks again",
                "refuses the next OTP",
            ),
            (
                AccountHold::Stop,
                FailureReason::PinRefused,
                "your yes to the next plan",
                "lock the account",
            ),
        ] {
            closed.hold = hold;
            closed.failure = Failure::new(reason, "");
            let way = closed.way_out();
            for part in [
                words,
                risk,
                "`vega cooldown clear second --reason TEXT`",
                "console",
            ] {
                assert!(way.contains(part), "{way}");
            }
            assert!(!way.to_lowercase().contains("generate again"), "{way}");
        }
    }

    /// `seconds` after a start, by a wall clock that is `ahead` of the truth.
    fn moment(seconds: u64, ahead: i64) -> ClockReading {
        let wall = 1_800_000_000 + i64::try_from(seconds).unwrap() + ahead;
        ClockReading {
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
            hold: COOLDOWN,
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
        cooldown.hold = AccountHold::Stop;
        assert_eq!((cooldown.is_closed(&now), cooldown.is_stop()), (true, true));
        assert_eq!((cooldown.left(&now), cooldown.until(&now)), (None, None));
    }
}
