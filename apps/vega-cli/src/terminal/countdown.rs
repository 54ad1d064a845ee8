//! The time that the human has left, as words that change each second. It counts the time that passes and needs no clock.

use std::fmt;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Counts down to the moment at which Vega stops waiting.
#[derive(Debug)]
pub(crate) struct Countdown {
    end: Instant,
}

impl Countdown {
    /// From now on.
    pub(crate) fn of(left: Duration) -> Self {
        let now = Instant::now();
        // A limit beyond the clock's reach is never reached: any end far away will do.
        let end = now.checked_add(left).unwrap_or(now + Duration::from_hours(24));
        Self { end }
    }

    /// Until the words change. Never, once the time is up.
    pub(crate) async fn tick(&self) {
        match self.seconds().checked_sub(1) {
            Some(next) => sleep_until(self.end - Duration::from_secs(next)).await,
            None => pending().await,
        }
    }

    /// Rounded up: as long as Vega waits, it is not zero.
    fn seconds(&self) -> u64 {
        let left = self.end.saturating_duration_since(Instant::now());
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }
}

/// `4:30`.
impl fmt::Display for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        write!(f, "{}:{:02}", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::minutes(Duration::from_secs(270), "4:30")]
    #[case::begun_second(Duration::from_millis(269_001), "4:30")]
    #[case::padded(Duration::from_secs(65), "1:05")]
    #[case::last_second(Duration::from_millis(1), "0:01")]
    #[case::up(Duration::ZERO, "0:00")]
    #[case::more_than_an_hour(Duration::from_mins(75), "75:00")]
    #[tokio::test(start_paused = true)]
    async fn the_words_are_minutes_and_seconds(#[case] left: Duration, #[case] words: &str) {
        assert_eq!(Countdown::of(left).to_string(), words);
    }

    #[tokio::test(start_paused = true)]
    async fn the_words_change_each_second_until_the_time_is_up() {
        let began = Instant::now();
        let countdown = Countdown::of(Duration::from_millis(2_500));
        let mut shown = vec![(0, countdown.to_string())];
        for _ in 0..3 {
            countdown.tick().await;
            shown.push((began.elapsed().as_millis(), countdown.to_string()));
        }
        let expected = [(0, "0:03"), (500, "0:02"), (1_500, "0:01"), (2_500, "0:00")];
        assert_eq!(shown, expected.map(|(at, words)| (at, words.to_owned())));
        let more = tokio::time::timeout(Duration::from_hours(1), countdown.tick()).await;
        assert!(more.is_err(), "nothing changes any more");
    }
}
