//! Is this computer's clock right? Compared with the `Date` header of an answer of Upstox, because a wrong clock calls
//! dead tokens alive, living ones dead, and opens the OTP budget too early.

use chrono::{DateTime, TimeDelta, Utc};

/// Beyond this the operator is warned.
const WORTH_A_WARNING: TimeDelta = TimeDelta::seconds(30);
/// Beyond this nothing is signed in for.
const TOO_FAR: TimeDelta = TimeDelta::minutes(5);

/// What the comparison said. A difference is positive where this computer is ahead of Upstox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockCheck {
    /// Upstox could not be asked, or its answer bore no date.
    NotKnown,
    /// Right, as far as an answer can tell.
    Good,
    /// Wrong enough for a warning.
    Off(TimeDelta),
    /// So wrong that nothing may be signed in for.
    TooFarOff(TimeDelta),
}

impl ClockCheck {
    /// Compares with the date that an answer bore; it was asked for at `asked` and was here at `answered`, both by this
    /// computer's clock. The header has whole seconds and was written at some moment in between, so only the part of
    /// the difference that neither explains counts.
    pub fn compare(asked: DateTime<Utc>, answered: DateTime<Utc>, upstox: DateTime<Utc>) -> Self {
        let behind = upstox - answered;
        let ahead = asked - (upstox + TimeDelta::seconds(1));
        let difference = if ahead > TimeDelta::zero() {
            ahead
        } else if behind > TimeDelta::zero() {
            -behind
        } else {
            return Self::Good;
        };
        match difference.abs() {
            much if much > TOO_FAR => Self::TooFarOff(difference),
            some if some > WORTH_A_WARNING => Self::Off(difference),
            _ => Self::Good,
        }
    }

    /// What the operator should hear: what is wrong and how to mend it.
    pub fn words(self) -> Option<String> {
        let (Self::Off(difference) | Self::TooFarOff(difference)) = self else {
            return None;
        };
        let whole = TimeDelta::seconds(difference.num_seconds().abs());
        let how_much = match (
            whole.num_hours(),
            whole.num_minutes() % 60,
            whole.num_seconds() % 60,
        ) {
            (0, 0, seconds) => format!("{seconds} s"),
            (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
            (hours, minutes, _) => format!("{hours} h {minutes} min"),
        };
        let side = if difference > TimeDelta::zero() {
            "ahead of"
        } else {
            "behind"
        };
        Some(format!(
            "this computer's clock is {how_much} {side} Upstox's, and tokens live by the clock. \
             Set it right, for example with `timedatectl set-ntp true`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    fn secs(seconds: i64) -> TimeDelta {
        TimeDelta::seconds(seconds)
    }

    #[rstest]
    #[case::right(0, 200, 0, ClockCheck::Good)]
    #[case::cut_to_seconds(900, 999, 0, ClockCheck::Good)]
    #[case::slow_call_explains_it(0, 40_000, 35, ClockCheck::Good)]
    #[case::ahead_by_thirty(31_000, 31_000, 0, ClockCheck::Good)]
    #[case::ahead_by_more(32_000, 32_500, 0, ClockCheck::Off(secs(31)))]
    #[case::behind_by_thirty(0, 1_000, 31, ClockCheck::Good)]
    #[case::behind_by_more(0, 1_000, 32, ClockCheck::Off(secs(-31)))]
    #[case::ahead_by_five_minutes(301_000, 301_000, 0, ClockCheck::Off(secs(300)))]
    #[case::ahead_by_far(302_000, 302_000, 0, ClockCheck::TooFarOff(secs(301)))]
    #[case::behind_by_far(0, 0, 7_200, ClockCheck::TooFarOff(secs(-7_200)))]
    fn a_difference_counts_beyond_what_the_call_explains(
        #[case] asked: i64,
        #[case] answered: i64,
        #[case] upstox_second: i64,
        #[case] expected: ClockCheck,
    ) {
        let check = ClockCheck::compare(at(asked), at(answered), at(upstox_second * 1_000));
        assert_eq!(check, expected);
    }

    #[rstest]
    #[case(ClockCheck::Off(secs(45)), "clock is 45 s ahead of Upstox's")]
    #[case(ClockCheck::Off(secs(-75)), "clock is 1 min 15 s behind Upstox's")]
    #[case(ClockCheck::TooFarOff(secs(-19_800)), "clock is 5 h 30 min behind Upstox's")]
    fn the_words_say_how_much_and_on_which_side(#[case] check: ClockCheck, #[case] words: &str) {
        let said = check.words().unwrap();
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn a_right_clock_is_not_worth_a_word() {
        assert_eq!(ClockCheck::Good.words(), None);
        assert_eq!(ClockCheck::NotKnown.words(), None);
    }
}
