//! Decides when to warn that a certificate ends: once when that is near, and once when it has ended.

use chrono::{DateTime, TimeDelta, Utc};

/// Renewal tools renew a month before the end, or when a third of the time is left: then something is wrong with that.
const SOON: TimeDelta = TimeDelta::days(14);

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Far,
    Near,
    Over,
}

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    told: Option<(DateTime<Utc>, Stage)>,
}

impl Expiry {
    /// What to say, after its name, of the certificate that ends then, if that was not said yet.
    pub(crate) fn warning(&mut self, end: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
        let stage = match end - now {
            left if left < TimeDelta::zero() => Stage::Over,
            left if left <= SOON => Stage::Near,
            _ => Stage::Far,
        };
        if self.told.replace((end, stage)) == Some((end, stage)) {
            return None;
        }
        let at = end.format("%Y-%m-%d %H:%M UTC");
        match stage {
            Stage::Far => None,
            Stage::Near => Some(format!(
                "ends at {at}, in {} days: browsers and programs refuse it then. Renew it and put the new one and its key in \
                 their places; the server takes them up by itself",
                (end - now).num_days()
            )),
            Stage::Over => Some(format!(
                "has ended at {at}: browsers and programs refuse it. Renew it and put the new one and its key in their places; \
                 the server takes them up by itself"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_warned_of_14_days_before_and_when_it_is_there_once_for_each_certificate() {
        let end = DateTime::from_timestamp(2_000_000_000, 0).unwrap();
        let renewed = end + TimeDelta::days(60);
        let mut expiry = Expiry::default();
        for (end, days_left, begins) in [
            (end, 15, None),
            (end, 14, Some("ends at 2033-05-18 03:33 UTC, in 14 days")),
            (end, 13, None),
            (end, -1, Some("has ended at 2033-05-18 03:33 UTC")),
            (end, -2, None),
            (renewed, 60, None),
            (renewed, 1, Some("ends at 2033-07-17 03:33 UTC, in 1 days")),
        ] {
            let told = expiry.warning(end, end - TimeDelta::days(days_left));
            match begins {
                Some(words) => assert!(
                    told.as_deref().is_some_and(|told| told.starts_with(words)),
                    "{told:?}"
                ),
                None => assert_eq!(told, None, "{days_left}"),
            }
        }
        // A server that starts with it says so at once.
        assert!(Expiry::default().warning(end, renewed).is_some());
    }
}
