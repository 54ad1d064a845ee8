//! When a token dies: at the first 03:30 IST after its issue, whatever else Upstox says.
//! Source: Upstox developer documentation, "Get token" (tokens are valid until 3:30 AM the following day).
//! India has no daylight saving time, so 03:30 IST is 22:00:00 UTC on every day of the year.

use std::ops::Range;

use chrono::{DateTime, FixedOffset, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};

/// India's clock. A time zone database, of which this one row would be used, takes a third of the time that a short command takes
/// to start.
const IST: FixedOffset = FixedOffset::east_opt(5 * 3_600 + 30 * 60).expect("5:30 is an offset");

/// A token is not handed out in its last minute: the program that asked could not use it any more.
pub const LAST_SECONDS: TimeDelta = TimeDelta::seconds(60);

/// The moment of expiry in UTC: 22:00:00, which is 03:30 IST of the next day.
const EXPIRY_UTC: NaiveTime = NaiveTime::from_hms_opt(22, 0, 0).expect("22:00:00 is a time");

/// The first 03:30 IST strictly after `issued_at`.
pub fn valid_until(issued_at: DateTime<Utc>) -> DateTime<Utc> {
    let today = issued_at.date_naive().and_time(EXPIRY_UTC).and_utc();
    if issued_at < today {
        today
    } else {
        today + TimeDelta::days(1)
    }
}

/// `valid_until` for a token whose own `exp` claim is known: the rule, or the claim where it is earlier.
pub fn valid_until_with_exp(issued_at: DateTime<Utc>, exp: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let by_rule = valid_until(issued_at);
    exp.map_or(by_rule, |exp| exp.min(by_rule))
}

/// The last 03:30 IST at or before `now`: whatever was made before it belongs to another day.
pub fn day_start(now: DateTime<Utc>) -> DateTime<Utc> {
    valid_until(now) - TimeDelta::days(1)
}

/// From when until when sign-ins are closed, now or next: from 03:20 to 03:31 IST a new token would die before anybody used
/// it, or its day would depend on a second. The operator may force one.
pub fn closed_hours(now: DateTime<Utc>) -> Range<DateTime<Utc>> {
    const BEFORE: TimeDelta = TimeDelta::minutes(10);
    const AFTER: TimeDelta = TimeDelta::minutes(1);
    let begun = day_start(now);
    let end = if now < begun + AFTER {
        begun
    } else {
        valid_until(now)
    };
    end - BEFORE..end + AFTER
}

/// While sign-ins are closed, when they open again.
pub fn closed_until(now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let closed = closed_hours(now);
    closed.contains(&now).then_some(closed.end)
}

/// RFC 3339 on India's clock, to the second: how every time is written in JSON.
pub fn rfc3339_ist(at: DateTime<Utc>) -> String {
    in_ist(at).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// The same instant on India's clock, for showing.
pub fn in_ist(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&IST)
}

/// The instant at which India's clock shows this.
pub fn from_ist(shown: NaiveDateTime) -> Option<DateTime<Utc>> {
    let at = shown.and_local_timezone(IST).single()?;
    Some(at.to_utc())
}

#[cfg(test)]
mod tests {
    use chrono::Timelike;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// The time zone database is the judge.
    #[test]
    fn india_is_half_past_five_ahead_all_year() {
        for day in 0..150 * 365 {
            let noon = DateTime::UNIX_EPOCH + TimeDelta::hours(12) + TimeDelta::days(day);
            let judged = noon.with_timezone(&chrono_tz::Asia::Kolkata);
            assert_eq!(in_ist(noon).naive_local(), judged.naive_local());
        }
    }

    fn ist(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}+05:30"))
            .unwrap()
            .to_utc()
    }

    #[rstest]
    #[case::one_second_before("2026-11-23T03:29:59", "2026-11-23T03:30:00")]
    #[case::last_millisecond("2026-11-23T03:29:59.999", "2026-11-23T03:30:00")]
    #[case::exactly_at("2026-11-23T03:30:00", "2026-11-24T03:30:00")]
    #[case::one_second_after("2026-11-23T03:30:01", "2026-11-24T03:30:00")]
    #[case::issued_at_half_past_two("2026-11-23T02:30:00", "2026-11-23T03:30:00")]
    #[case::midnight("2026-11-23T00:00:00", "2026-11-23T03:30:00")]
    #[case::morning_run("2026-11-23T08:45:00", "2026-11-24T03:30:00")]
    #[case::evening("2026-11-24T20:00:00", "2026-11-25T03:30:00")]
    #[case::year_end("2026-12-31T23:59:59", "2027-01-01T03:30:00")]
    #[case::year_end_before_0330("2027-01-01T03:29:59", "2027-01-01T03:30:00")]
    #[case::year_end_morning("2026-12-31T08:45:00", "2027-01-01T03:30:00")]
    #[case::leap_day("2028-02-28T09:00:00", "2028-02-29T03:30:00")]
    #[case::night_new_york_leaves_dst("2026-11-01T11:29:59", "2026-11-02T03:30:00")]
    #[case::night_new_york_enters_dst("2026-03-08T12:30:00", "2026-03-09T03:30:00")]
    fn tokens_die_at_the_next_0330_ist(#[case] issued: &str, #[case] dies: &str) {
        assert_eq!(valid_until(ist(issued)), ist(dies));
    }

    #[rstest]
    #[case::no_claim(None, "2026-11-24T03:30:00")]
    #[case::earlier_claim(Some("2026-11-23T20:00:00"), "2026-11-23T20:00:00")]
    #[case::a_claim_never_makes_it_later(Some("2026-11-30T03:30:00"), "2026-11-24T03:30:00")]
    fn the_tokens_own_exp_can_only_shorten(#[case] exp: Option<&str>, #[case] dies: &str) {
        assert_eq!(
            valid_until_with_exp(ist("2026-11-23T08:45:00"), exp.map(ist)),
            ist(dies)
        );
    }

    #[rstest]
    #[case("2026-11-23T03:29:59", "2026-11-22T03:30:00")]
    #[case("2026-11-23T03:30:00", "2026-11-23T03:30:00")]
    #[case("2026-11-23T23:00:00", "2026-11-23T03:30:00")]
    fn a_day_starts_at_0330_ist(#[case] now: &str, #[case] start: &str) {
        assert_eq!(day_start(ist(now)), ist(start));
    }

    #[rstest]
    #[case::before("2026-11-23T03:19:59.999", None)]
    #[case::from_0320("2026-11-23T03:20:00", Some("2026-11-23T03:31:00"))]
    #[case::last_second("2026-11-23T03:29:59", Some("2026-11-23T03:31:00"))]
    #[case::at_0330("2026-11-23T03:30:00", Some("2026-11-23T03:31:00"))]
    #[case::still_closed("2026-11-23T03:30:59", Some("2026-11-23T03:31:00"))]
    #[case::open_again("2026-11-23T03:31:00", None)]
    #[case::morning("2026-11-23T08:45:00", None)]
    #[case::year_end("2027-01-01T03:25:00", Some("2027-01-01T03:31:00"))]
    fn sign_ins_are_closed_around_0330(#[case] now: &str, #[case] until: Option<&str>) {
        assert_eq!(closed_until(ist(now)), until.map(ist));
    }

    /// Runs the tests of every rule of India's clock again in processes whose host zone is another one.
    #[test]
    fn the_host_zone_does_not_matter() {
        let this_binary = std::env::current_exe().unwrap();
        let rules = ["expiry::tests", "check_times::tests"];
        for zone in ["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"] {
            let again = std::process::Command::new(&this_binary)
                .args(rules)
                .args(["--skip", "the_host_zone_does_not_matter"])
                .env("TZ", zone)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&again.stdout);
            assert!(again.status.success(), "{zone}: {said}");
            assert!(
                said.contains("test result: ok") && rules.iter().all(|rule| said.contains(rule)),
                "{zone}: {said}"
            );
        }
    }

    proptest! {
        /// Over two centuries, to the nanosecond: the rule in words, checked on India's own clock.
        #[test]
        fn the_rule_holds_everywhere(seconds in 0_i64..6_300_000_000, nanos in 0_u32..1_000_000_000) {
            let issued = DateTime::from_timestamp(seconds, nanos).unwrap();
            let dies = valid_until(issued);
            prop_assert!(dies > issued);
            prop_assert!(dies - issued <= TimeDelta::days(1));
            let shown = in_ist(dies);
            prop_assert_eq!((shown.hour(), shown.minute(), shown.second(), shown.nanosecond()), (3, 30, 0, 0));
        }

        /// A token issued later never dies earlier.
        #[test]
        fn expiry_is_monotonic(first in 0_i64..6_300_000_000, later in 0_i64..200_000) {
            let issued = DateTime::from_timestamp(first, 0).unwrap();
            prop_assert!(valid_until(issued + TimeDelta::seconds(later)) >= valid_until(issued));
        }

        /// Near the border, second by second.
        #[test]
        fn the_border_is_sharp(day in 0_i64..40_000, offset in -120_i64..120) {
            let border = DateTime::from_timestamp(day * 86_400 + 22 * 3_600, 0).unwrap();
            let issued = border + TimeDelta::seconds(offset);
            let expected = if offset < 0 { border } else { border + TimeDelta::days(1) };
            prop_assert_eq!(valid_until(issued), expected);
        }
    }
}
