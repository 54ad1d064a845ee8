//! Every random choice of a campaign, drawn from one seed in the order in which it is needed.

use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use fastrand::Rng;

use crate::locked::locked;

/// The dice.
pub(crate) struct SeededRng(Mutex<Rng>);

impl SeededRng {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    /// Whether something happens that happens so often in a thousand times.
    pub(crate) fn permille(&self, often: u32) -> bool {
        often > 0 && locked(&self.0).u32(0..1000) < often
    }

    pub(crate) fn between(&self, range: RangeInclusive<u32>) -> u32 {
        locked(&self.0).u32(range)
    }

    pub(crate) fn millis(&self, range: RangeInclusive<u32>) -> Duration {
        Duration::from_millis(self.between(range).into())
    }

    pub(crate) fn seconds(&self, range: RangeInclusive<u32>) -> Duration {
        let (from, to) = range.into_inner();
        self.millis(from * 1000..=to * 1000)
    }

    /// One of several, of which there is at least one.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[locked(&self.0).usize(0..from.len())]
    }
}
