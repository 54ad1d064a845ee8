//! A time in the past, as people say it: how long ago, on which day in India, or to the second.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Ago(Duration),
    At(DateTime<Utc>),
}

impl Since {
    /// The time that is meant, seen from `now`. What is too long ago for a calendar is the beginning.
    pub(crate) fn seen_from(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Ago(length) => TimeDelta::from_std(length)
                .ok()
                .and_then(|length| now.checked_sub_signed(length))
                .map_or(DateTime::UNIX_EPOCH, |at| at.max(DateTime::UNIX_EPOCH)),
        }
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(length) = humantime::parse_duration(text) {
            return Ok(Self::Ago(length));
        }
        // A day begins at midnight in India.
        let time = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) => format!("{day}T00:00:00+05:30"),
            Err(_) => text.to_owned(),
        };
        DateTime::parse_from_rfc3339(&time)
            .map(|at| Self::At(at.to_utc()))
            .map_err(|_| "give a while such as 2h, a day such as 2026-11-23, or a time such as 2026-11-23T08:45:00+05:30")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_while("2h", "2026-11-23T06:45:00+05:30")]
    #[case::days("1day", "2026-11-22T08:45:00+05:30")]
    #[case::day_in_india("2026-11-23", "2026-11-23T00:00:00+05:30")]
    #[case::time("2026-11-23T00:00:00Z", "2026-11-23T05:30:00+05:30")]
    #[case::forever("99999999years", "1970-01-01T00:00:00Z")]
    fn it_is_understood(#[case] text: &str, #[case] meant: &str) {
        let time = |text| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let since: Since = text.parse().unwrap();
        assert_eq!(since.seen_from(time("2026-11-23T08:45:00+05:30")), time(meant));
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("2026-13-01")]
    #[case("2026-11-23T08:45")]
    fn other_words_are_refused(#[case] text: &str) {
        assert!(text.parse::<Since>().is_err());
    }
}
