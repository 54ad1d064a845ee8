//! Which refused redirects go on record: the first hundred of an hour, of whatever kind, and after it one entry that says how
//! many more there were. Whoever reloads a page must not fill the audit trail.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::expiry::in_ist;

/// In one hour.
const ON_RECORD: u32 = 100;
pub(crate) const HOUR: TimeDelta = TimeDelta::hours(1);

/// What is to be done about one refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// On record.
    OnRecord,
    /// Into the count, as the first one of its hour.
    UncountedSoFar,
    /// Into the count.
    Counted,
}

/// The refusals of one hour.
#[derive(Debug)]
pub(crate) struct Refusals {
    since: DateTime<Utc>,
    on_record: u32,
    left_out: BTreeMap<&'static str, u32>,
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self::of_hour(DateTime::UNIX_EPOCH)
    }

    fn of_hour(since: DateTime<Utc>) -> Self {
        Self {
            since,
            on_record: 0,
            left_out: BTreeMap::new(),
        }
    }

    /// One more, for this reason. `summary` comes first, if an hour has ended.
    pub(crate) fn count(&mut self, why: &'static str, now: DateTime<Utc>) -> Goes {
        if self.on_record < ON_RECORD {
            if self.on_record == 0 {
                self.since = now;
            }
            self.on_record += 1;
            return Goes::OnRecord;
        }
        let is_first = self.left_out.is_empty();
        *self.left_out.entry(why).or_default() += 1;
        if is_first {
            Goes::UncountedSoFar
        } else {
            Goes::Counted
        }
    }

    /// Ends the hour, where it is over. What was left out in it, if anything, in words.
    pub(crate) fn summary(&mut self, now: DateTime<Utc>) -> Option<String> {
        // A clock that was set back begins a new hour, too.
        if (now - self.since).abs() < HOUR {
            return None;
        }
        let ended = std::mem::replace(self, Self::of_hour(now));
        if ended.left_out.is_empty() {
            return None;
        }
        let count: u32 = ended.left_out.values().sum();
        let kinds: Vec<String> = ended
            .left_out
            .iter()
            .map(|(why, count)| format!("{count} because {why}"))
            .collect();
        Some(format!(
            "{count} more in the hour from {} IST are not on record one by one: {}",
            in_ist(ended.since).format("%H:%M:%S"),
            kinds.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        // 08:00 in India.
        DateTime::from_timestamp(1_790_044_200 + seconds, 0).unwrap()
    }

    #[test]
    fn kinds_share_one_cap_and_what_was_left_out_is_told_by_kind() {
        let mut refusals = Refusals::new();
        assert_eq!(refusals.summary(at(0)), None);
        for number in 0..ON_RECORD {
            let why = if number % 2 == 0 { "one" } else { "another" };
            assert_eq!(refusals.count(why, at(0)), Goes::OnRecord);
        }
        assert_eq!(refusals.count("one", at(1)), Goes::UncountedSoFar);
        for why in ["another", "one", "one"] {
            assert_eq!(refusals.count(why, at(3_599)), Goes::Counted);
        }
        assert_eq!(refusals.summary(at(3_599)), None);
        let summary = refusals.summary(at(3_600)).unwrap();
        assert!(
            summary.starts_with("4 more in the hour from ")
                && summary.ends_with(" IST are not on record one by one: 1 because another, 3 because one"),
            "{summary}"
        );
        assert_eq!(refusals.summary(at(7_300)), None, "told once");
        assert_eq!(refusals.count("one", at(7_300)), Goes::OnRecord);
    }

    #[test]
    fn an_hour_begins_with_its_first_refusal() {
        let mut refusals = Refusals::new();
        refusals.summary(at(0));
        refusals.count("one", at(3_000));
        assert_eq!(refusals.since, at(3_000));
    }
}
