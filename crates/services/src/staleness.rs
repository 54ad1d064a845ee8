//! Since when the tokens in memory could not be compared with the stored ones. What readers do with that is theirs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Readers ask it for each token that they hand out.
pub(crate) struct Staleness {
    began: Instant,
    /// Milliseconds from when it began, and one more; 0 while they are compared.
    since: AtomicU64,
}

impl Staleness {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            since: AtomicU64::new(0),
        }
    }

    /// A comparison that was begun `at` did not succeed.
    pub(crate) fn begins(&self, at: Instant) {
        let since = at.saturating_duration_since(self.began).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX - 1) + 1;
        // The first one counts.
        let _ = self
            .since
            .compare_exchange(0, since, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A comparison succeeded.
    pub(crate) fn ends(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// `None` while they are compared.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}
