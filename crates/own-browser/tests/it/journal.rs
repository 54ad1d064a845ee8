//! A store in memory with this route's attempts, and a disk that may be full for a while.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::RunId;
use vega_domain::ports::{SignInAttempts, StoreError};
use vega_domain::secret::OAuthState;
use vega_testing::builders::{at, attempt, entry};
use vega_testing::memory_store::full;
use vega_testing::{MemoryStore, Watcher};

/// So many codes are not taken before one is.
#[derive(Default)]
struct FullFor(AtomicU32);

impl Watcher for FullFor {
    fn asked(&self, what: &str) -> Result<(), StoreError> {
        if what == "deliver_code" && self.0.load(Ordering::Relaxed) > 0 {
            self.0.fetch_sub(1, Ordering::Relaxed);
            return Err(full());
        }
        Ok(())
    }
}

pub(crate) struct Journal {
    pub(crate) store: Arc<MemoryStore>,
    full_for: Arc<FullFor>,
}

impl Deref for Journal {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.store
    }
}

impl Default for Journal {
    fn default() -> Self {
        let full_for = Arc::<FullFor>::default();
        let store = Arc::new(MemoryStore::watched_by(full_for.clone()));
        Self { store, full_for }
    }
}

impl Journal {
    /// So many codes are not taken before one is.
    pub(crate) fn is_full_for(&self, codes: u32) {
        self.full_for.0.store(codes, Ordering::Relaxed);
    }

    pub(crate) async fn opens(&self, state: &str, api: &str) {
        let mut new = attempt(RunId::at(at(0)), api, 1);
        new.state = OAuthState::new(state);
        let opened = entry(AuditKind::AttemptOpened);
        self.store.open_attempt(&new, &opened).await.unwrap();
    }

    pub(crate) async fn closes(&self, state: &str) {
        let state = OAuthState::new(state);
        let attempts = self.store.attempts();
        let attempt = attempts.iter().find(|attempt| attempt.state == state).unwrap();
        let failure = Failure::new(FailureReason::RedirectTimeout, "");
        let closed = entry(AuditKind::AttemptClosed);
        let close = self.store.close(attempt.id, &failure, at(1), &closed);
        close.await.unwrap();
    }

    /// What was refused, by the audit trail.
    pub(crate) fn refused(&self) -> Vec<String> {
        let mut audit = self.store.audit();
        audit.retain(|entry| entry.kind == AuditKind::RedirectRefused);
        audit.into_iter().map(|entry| entry.detail).collect()
    }
}
