//! When a story by the machine's clock may begin: sign-ins are closed around 03:30 IST.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use vega_domain::expiry::closed_until;

/// A story takes less, also on a slow machine.
const STORY: TimeDelta = TimeDelta::minutes(5);

/// Returns when a story that signs in by the machine's clock comes to its end before sign-ins close, or they are open again.
#[expect(
    clippy::disallowed_methods,
    reason = "programs that users get ask the machine's clock, which nobody moves"
)]
pub(crate) async fn sign_ins_are_open() {
    let now = Utc::now();
    let wait = begins_at(now) - now;
    sleep(wait.to_std().unwrap_or_default()).await;
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
