//! The audit trail with one cap for refusals of every kind, whoever refuses: redirects, calls, links. What is over it is
//! counted and summed up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditTrail, Clock, StoreError};
use vega_domain::secret::AccessToken;

use crate::refusals::{Goes, HOUR, Refusals};

/// An audit trail that no flood fills.
#[derive(Clone)]
pub struct CappedRefusals(Arc<Shared>);

struct Shared {
    trail: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
    refusals: Mutex<Refusals>,
}

impl CappedRefusals {
    /// Before this trail.
    pub fn new(trail: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>) -> Self {
        let refusals = Mutex::new(Refusals::new());
        Self(Arc::new(Shared {
            trail,
            clock,
            refusals,
        }))
    }

    /// Puts on record what was left out until now: at the end of a process, which nobody asks later.
    pub async fn sum_up(&self) -> Result<(), StoreError> {
        let summary = self.0.refusals().end(self.0.clock.now());
        self.0.put_summary(summary).await
    }

    /// Says how many were left out when the hour is over, also where no further one comes.
    fn sum_up_later(&self) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            // The hour began before, so it is over then; by a clock that was set it may not be.
            tokio::time::sleep(HOUR.to_std().unwrap_or_default()).await;
            let summary = shared.refusals().summary(shared.clock.now());
            shared.put_summary_or_warn(summary).await;
        });
    }
}

impl Shared {
    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn put_summary_or_warn(&self, summary: Option<String>) {
        let words = summary.clone().unwrap_or_default();
        if let Err(error) = self.put_summary(summary).await {
            tracing::warn!(%error, "how much was refused is not on record: {words}");
        }
    }

    async fn put_summary(&self, summary: Option<String>) -> Result<(), StoreError> {
        let Some(summary) = summary else { return Ok(()) };
        let entry = AuditEntry::new(self.clock.now(), AuditKind::RefusalsLeftOut, summary);
        self.trail.append(&entry).await
    }
}

#[async_trait]
impl AuditTrail for CappedRefusals {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        if !entry.kind.is_refusal() {
            return self.0.trail.append(entry).await;
        }
        let now: DateTime<Utc> = self.0.clock.now();
        let (summary, goes) = {
            let mut refusals = self.0.refusals();
            (refusals.summary(now), refusals.count(&entry.detail, now))
        };
        // The refusal itself goes on record whatever becomes of the sum of others.
        self.0.put_summary_or_warn(summary).await;
        match goes {
            Goes::OnRecord => self.0.trail.append(entry).await,
            Goes::UncountedSoFar => {
                tracing::warn!(
                    "refusals keep coming; no more of them go into the audit trail one by one in this hour, but how many they are"
                );
                self.sum_up_later();
                Ok(())
            }
            Goes::Counted => Ok(()),
        }
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        self.0.trail.append_about(entry, token).await
    }

    async fn keep_checkpoint(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.0.trail.keep_checkpoint(run, at).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vega_testing::MemoryStore;

    use super::*;
    use crate::test_builders::{TestClock, at};

    fn world() -> (Arc<MemoryStore>, Arc<TestClock>, CappedRefusals) {
        let (trail, clock) = (Arc::new(MemoryStore::default()), TestClock::at(at(0)));
        let capped = CappedRefusals::new(trail.clone(), clock.clone());
        (trail, clock, capped)
    }

    async fn refuse(capped: &CappedRefusals, kind: AuditKind, why: &str, times: usize) {
        for _ in 0..times {
            let entry = AuditEntry::new(capped.0.clock.now(), kind, why);
            capped.append(&entry).await.unwrap();
        }
    }

    /// A server lives for weeks: what strangers did on its first day must not hide what they do later.
    #[tokio::test]
    async fn refusals_go_on_record_again_in_the_next_hour() {
        let (trail, clock, capped) = world();
        for (seconds, on_record) in [(0, 100), (3_599, 100), (3_600, 201), (0, 302)] {
            clock.set(at(seconds));
            refuse(&capped, AuditKind::CallRefused, "its key is not known", 110).await;
            assert_eq!(trail.audit().len(), on_record, "after {seconds} s");
        }
        let entries = trail.audit();
        let mut left_out = entries
            .iter()
            .filter(|entry| entry.kind == AuditKind::RefusalsLeftOut);
        let summary = left_out.next().unwrap();
        assert!(
            summary.detail.contains("120 because its key is not known"),
            "{summary:?}"
        );
    }

    #[tokio::test]
    async fn one_cap_holds_for_all_kinds_and_for_nothing_else() {
        let (trail, _, capped) = world();
        refuse(&capped, AuditKind::CallRefused, "its key is not known", 70).await;
        refuse(&capped, AuditKind::RedirectRefused, "it lacked a code", 70).await;
        assert_eq!(trail.audit().len(), 100);
        refuse(&capped, AuditKind::CallRefused, "its Host is another's", 3).await;
        refuse(&capped, AuditKind::RunStarted, "", 5).await;
        assert_eq!(trail.audit().len(), 106);
        capped.sum_up().await.unwrap();
        capped.sum_up().await.unwrap();
        let entries = trail.audit();
        assert_eq!(entries.len(), 107, "told once");
        let words = &entries[106].detail;
        assert!(
            words.contains("40 because it lacked a code")
                && words.contains("2 because its Host is another's"),
            "{words}"
        );
    }

    /// Nobody comes any more: what was left out is told all the same.
    #[tokio::test(start_paused = true)]
    async fn what_was_left_out_is_summed_up_when_the_hour_is_over() {
        let (trail, clock, capped) = world();
        refuse(&capped, AuditKind::CallRefused, "its key is not known", 130).await;
        assert_eq!(trail.audit().len(), 100);
        clock.set(at(3_601));
        tokio::time::sleep(Duration::from_secs(3_700)).await;
        let entries = trail.audit();
        assert_eq!(entries.len(), 101);
        assert!(entries[100].detail.starts_with("30 more"), "{entries:?}");
    }
}
