//! Pauses between attempts: full jitter below a ceiling that doubles, so that clients that lost the server together do not come back
//! together.

use std::time::Duration;

pub(crate) struct Backoff {
    first: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(first: Duration, random: fastrand::Rng) -> Self {
        Self {
            first,
            failures: 0,
            random,
        }
    }

    /// An attempt succeeded.
    pub(crate) fn starts_anew(&mut self) {
        self.failures = 0;
    }

    /// The pause after a failed attempt; `at_least` is what the server asked for.
    pub(crate) fn after_failure(&mut self, last: Duration, at_least: Option<Duration>) -> Duration {
        let doubled = 2_u32
            .checked_pow(self.failures)
            .and_then(|times| self.first.checked_mul(times));
        self.failures = self.failures.saturating_add(1);
        let ceiling = doubled.unwrap_or(last).min(last);
        at_least.unwrap_or_default().saturating_add(self.within(ceiling))
    }

    /// Any pause below this ceiling.
    pub(crate) fn within(&mut self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(5);

    proptest! {
        #[test]
        fn each_pause_is_below_a_ceiling_that_doubles_up_to_the_last(seed: u64, attempts in 1_usize..80) {
            let mut backoff = Backoff::new(FIRST, fastrand::Rng::with_seed(seed));
            for attempt in 0..attempts {
                let ceiling = FIRST.mul_f64(2_f64.powi(i32::try_from(attempt.min(30)).unwrap())).min(LAST);
                prop_assert!(backoff.after_failure(LAST, None) <= ceiling);
            }
            backoff.starts_anew();
            prop_assert!(backoff.after_failure(LAST, None) <= FIRST);
        }

        #[test]
        fn the_server_is_left_alone_for_as_long_as_it_asks(seed: u64, seconds in 0_u64..60) {
            let mut backoff = Backoff::new(FIRST, fastrand::Rng::with_seed(seed));
            let asked = Duration::from_secs(seconds);
            let pause = backoff.after_failure(LAST, Some(asked));
            prop_assert!(pause >= asked && pause <= asked + FIRST);
        }
    }

    #[test]
    fn five_thousand_clients_spread_over_the_whole_pause() {
        let tenth = |pause: Duration| usize::try_from(pause.as_millis() / 100).unwrap();
        let mut tenths = [0; 10];
        for seed in 0..5_000 {
            let mut backoff = Backoff::new(FIRST, fastrand::Rng::with_seed(seed));
            tenths[tenth(backoff.within(Duration::from_secs(1))).min(9)] += 1;
        }
        assert!(
            tenths.iter().all(|clients| (350..650).contains(clients)),
            "{tenths:?}"
        );
    }
}
