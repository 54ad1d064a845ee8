//! When stored tokens are checked unasked: at the operator's times on every day, and hourly while the market is open, Monday
//! to Friday. All on India's clock; the host's zone never matters.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc, Weekday};

use crate::expiry::{from_ist, in_ist};
use crate::invalid_value::InvalidValue;

/// Hourly from 09:00 to 15:30 IST.
const MARKET_HOURS: std::ops::RangeInclusive<u32> = 9..=15;

/// How a time of day is written.
const FORMAT: &str = "%H:%M";

/// The operator's times of day, in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckTimes(Vec<NaiveTime>);

impl Default for CheckTimes {
    /// Before the desk must be ready, and when it must be.
    fn default() -> Self {
        let times = [(8, 30), (9, 0)];
        Self(
            times
                .into_iter()
                .filter_map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0))
                .collect(),
        )
    }
}

impl FromStr for CheckTimes {
    type Err = InvalidValue;

    /// Times of day such as `08:30`, with commas between them.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut times = text
            .split(',')
            .map(|time| time_of_day(time.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        times.sort();
        times.dedup();
        Ok(Self(times))
    }
}

fn time_of_day(text: &str) -> Result<NaiveTime, InvalidValue> {
    let refused = || InvalidValue::new("time of day", format!("{text:?} is none; write 08:30, say"));
    let has_its_form = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let read = NaiveTime::parse_from_str(text, FORMAT).ok();
    read.filter(|_| has_its_form).ok_or_else(refused)
}

impl fmt::Display for CheckTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times: Vec<String> = self
            .0
            .iter()
            .map(|time| time.format(FORMAT).to_string())
            .collect();
        f.write_str(&times.join(","))
    }
}

impl CheckTimes {
    /// The first check after `now`.
    pub fn next_after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = in_ist(now).date_naive();
        // In five days there is a working day, whatever the operator's times are.
        let days = (0..5).filter_map(|days| today.checked_add_days(Days::new(days)));
        let mut times = days.flat_map(|day| self.on(day)).filter(|at| *at > now);
        times.next().unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn on(&self, day: NaiveDate) -> Vec<DateTime<Utc>> {
        let is_open = !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let hourly = MARKET_HOURS.filter_map(|hour| NaiveTime::from_hms_opt(hour, 0, 0));
        let mut times = self.0.clone();
        times.extend(hourly.filter(|_| is_open));
        times.sort();
        times.dedup();
        times
            .into_iter()
            .filter_map(|time| from_ist(day.and_time(time)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn ist(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00+05:30"))
            .unwrap()
            .to_utc()
    }

    // 27 November 2026 is a Friday.
    #[rstest]
    #[case::first_of_the_day("2026-11-27T03:31", "2026-11-27T08:30")]
    #[case::exactly_then_is_over("2026-11-27T08:30", "2026-11-27T09:00")]
    #[case::set_and_hourly_are_one("2026-11-27T08:59", "2026-11-27T09:00")]
    #[case::hourly("2026-11-27T09:00", "2026-11-27T10:00")]
    #[case::the_last_hour("2026-11-27T14:59", "2026-11-27T15:00")]
    #[case::after_the_market("2026-11-27T15:00", "2026-11-28T08:30")]
    #[case::no_hours_on_saturday("2026-11-28T09:00", "2026-11-29T08:30")]
    #[case::nor_on_sunday("2026-11-29T09:00", "2026-11-30T08:30")]
    #[case::monday("2026-11-30T09:01", "2026-11-30T10:00")]
    #[case::india_is_a_day_ahead_of_utc("2026-11-28T00:10", "2026-11-28T08:30")]
    #[case::year_end("2026-12-31T15:00", "2027-01-01T08:30")]
    fn checks_come_at_their_times(#[case] now: &str, #[case] next: &str) {
        assert_eq!(
            CheckTimes::default().next_after(ist(now)),
            ist(next),
            "after {now}"
        );
    }

    #[test]
    fn the_operator_chooses_the_times() {
        let times: CheckTimes = "23:05, 07:00,07:00".parse().unwrap();
        assert_eq!(times.to_string(), "07:00,23:05");
        assert_eq!(times.next_after(ist("2026-11-28T07:00")), ist("2026-11-28T23:05"));
        assert_eq!(times.next_after(ist("2026-11-28T23:05")), ist("2026-11-29T07:00"));
        assert_eq!(
            "08:30,09:00".parse::<CheckTimes>().unwrap(),
            CheckTimes::default()
        );
    }

    #[rstest]
    #[case("25:00")]
    #[case("08:60")]
    #[case("24:00")]
    #[case("8:30")]
    #[case("0830")]
    #[case("08.30")]
    #[case("08:30:00")]
    #[case("08:30 pm")]
    #[case("+8:30")]
    #[case("")]
    #[case("nine")]
    fn a_bad_time_is_refused_by_name(#[case] bad: &str) {
        for text in [bad.to_owned(), format!("08:30,{bad}"), format!("{bad}, 09:00")] {
            let refused = text.parse::<CheckTimes>().unwrap_err().to_string();
            assert!(refused.contains(&format!("{bad:?}")), "{text}: {refused}");
        }
    }

    proptest! {
        /// No moment is without a next check, and none is far on a working day.
        #[test]
        fn there_is_always_a_next_check(minutes in 0_i64..5_000_000) {
            let now = DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap();
            let times = CheckTimes::default();
            let next = times.next_after(now);
            prop_assert!(next > now);
            prop_assert!(next - now <= chrono::TimeDelta::hours(24));
            prop_assert_eq!(times.next_after(next - chrono::TimeDelta::seconds(1)), next);
        }
    }
}
