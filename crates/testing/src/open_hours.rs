//! When a test by the machine's clock may begin: sign-ins are closed around 03:30 IST, and Vega says other things then.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::expiry::closed_until;

/// A story takes less, also on a slow machine.
const STORY: TimeDelta = TimeDelta::minutes(5);

/// How long to wait so that a test which begins then comes to its end while sign-ins are open: 16 minutes at most.
#[expect(
    clippy::disallowed_methods,
    reason = "programs that users get ask the machine's clock, which nobody moves"
)]
pub fn time_until_sign_ins_are_open() -> Duration {
    let now = Utc::now();
    (begins_at(now) - now).to_std().unwrap_or_default()
}

fn begins_at(now: DateTime<Utc>) -> DateTime<Utc> {
    let open = closed_until(now).or_else(|| closed_until(now + STORY));
    open.unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, NaiveTime};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_day("10:00:00", "10:00:00")]
    #[case::in_time("21:44:59", "21:44:59")]
    #[case::too_late("21:45:00", "22:01:00")]
    #[case::closed("21:59:00", "22:01:00")]
    #[case::open("22:01:00", "22:01:00")]
    fn a_story_ends_before_sign_ins_close_or_begins_when_they_are_open(
        #[case] now: NaiveTime,
        #[case] begins: NaiveTime,
    ) {
        let at = |time| NaiveDate::default().and_time(time).and_utc();
        assert_eq!(begins_at(at(now)), at(begins));
    }
}
