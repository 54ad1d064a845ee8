//! Decides which refusals are recorded: the first hundred of an hour, of whatever kind, and beyond them the first of each kind.
//! After the hour one entry says how many more there were of each. Endless calls must not fill the disk.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::expiry::in_ist;

/// In one hour.
const ON_RECORD: usize = 100;
/// So many kinds are told apart in one hour; what more there are share one line.
const KINDS: usize = 50;
const OF_OTHER_KINDS: &str = "other reasons";
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
    on_record: usize,
    seen: BTreeSet<String>,
    left_out: BTreeMap<String, u32>,
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self::of_hour(DateTime::UNIX_EPOCH)
    }

    fn of_hour(since: DateTime<Utc>) -> Self {
        Self {
            since,
            on_record: 0,
            seen: BTreeSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// One more, of this kind. `summary` comes first, if an hour has ended.
    pub(crate) fn count(&mut self, kind: &str, now: DateTime<Utc>) -> Goes {
        if self.on_record == 0 {
            self.since = now;
        }
        let is_known = self.seen.contains(kind);
        let is_first_of_kind = !is_known && self.seen.len() < KINDS && self.seen.insert(kind.to_owned());
        if is_first_of_kind || self.on_record < ON_RECORD {
            self.on_record += 1;
            return Goes::OnRecord;
        }
        let is_first = self.left_out.is_empty();
        let kind = if is_known { kind } else { OF_OTHER_KINDS };
        let count = self.left_out.entry(kind.to_owned()).or_default();
        *count = count.saturating_add(1);
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
        self.end(now)
    }

    /// Ends the hour whether it is over or not.
    pub(crate) fn end(&mut self, now: DateTime<Utc>) -> Option<String> {
        let ended = std::mem::replace(self, Self::of_hour(now));
        if ended.left_out.is_empty() {
            return None;
        }
        let count: u64 = ended.left_out.values().map(|count| u64::from(*count)).sum();
        let kinds: Vec<String> = ended
            .left_out
            .iter()
            .map(|(kind, count)| format!("{count} because {kind}"))
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
    fn a_flood_of_one_kind_hides_no_other() {
        let mut refusals = Refusals::new();
        for _ in 0..2 * ON_RECORD {
            refusals.count("flood", at(0));
        }
        assert_eq!(refusals.count("rare", at(1)), Goes::OnRecord);
        assert_eq!(refusals.count("rare", at(2)), Goes::Counted);
        let summary = refusals.end(at(3)).unwrap();
        assert!(summary.contains("100 because flood, 1 because rare"), "{summary}");
        assert_eq!(refusals.end(at(4)), None);
    }

    #[test]
    fn a_flood_of_kinds_is_capped_too() {
        let mut refusals = Refusals::new();
        let numbers = 0..10 * ON_RECORD;
        let on_record =
            numbers.filter(|number| refusals.count(&format!("kind {number}"), at(0)) == Goes::OnRecord);
        assert_eq!(on_record.count(), ON_RECORD);
        let summary = refusals.end(at(1)).unwrap();
        assert!(summary.ends_with(": 900 because other reasons"), "{summary}");
    }

    #[test]
    fn an_hour_begins_with_its_first_refusal() {
        let mut refusals = Refusals::new();
        refusals.summary(at(0));
        refusals.count("one", at(3_000));
        assert_eq!(refusals.since, at(3_000));
    }
}
