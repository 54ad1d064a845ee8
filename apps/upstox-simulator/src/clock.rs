//! The simulator's clock: the machine's clock plus an offset a test may set, so that whole days can be played.
//! Every rule of time (OTPs, codes, tokens, sessions, the `Date` header) asks here and nowhere else.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Days, TimeDelta, Utc};

/// The machine's clock, moved by an offset in seconds.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// The simulator's present.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the simulator's clock is where time is asked"
        )]
        let machine = Utc::now();
        TimeDelta::try_seconds(self.offset_seconds())
            .and_then(|offset| machine.checked_add_signed(offset))
            .unwrap_or(machine)
    }

    pub(crate) fn offset_seconds(&self) -> i64 {
        self.offset_seconds.load(Ordering::Relaxed)
    }

    pub(crate) fn set_offset_seconds(&self, seconds: i64) {
        self.offset_seconds.store(seconds, Ordering::Relaxed);
    }
}

/// The next 03:30 in India (22:00 UTC) strictly after `at`: the moment every access token issued at `at` dies.
pub(crate) fn next_token_death(at: DateTime<Utc>) -> DateTime<Utc> {
    let today = at
        .date_naive()
        .and_hms_opt(22, 0, 0)
        .map_or(at, |naive| naive.and_utc());
    if today > at {
        today
    } else {
        today.checked_add_days(Days::new(1)).unwrap_or(today)
    }
}

/// `at` as the `Date` header spells it.
pub(crate) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn tokens_die_at_the_next_half_past_three_in_india() {
        for (issued, dies) in [
            ("2026-01-06T14:30:00Z", "2026-01-06T22:00:00Z"),
            ("2026-01-06T21:59:59Z", "2026-01-06T22:00:00Z"),
            ("2026-01-06T22:00:00Z", "2026-01-07T22:00:00Z"),
            ("2026-12-31T23:00:00Z", "2027-01-01T22:00:00Z"),
        ] {
            assert_eq!(next_token_death(utc(issued)), utc(dies), "issued {issued}");
        }
    }

    #[test]
    fn the_date_header_is_spelled_as_http_wants_it() {
        assert_eq!(
            http_date(utc("2026-11-02T03:04:05Z")),
            "Mon, 02 Nov 2026 03:04:05 GMT"
        );
    }
}
