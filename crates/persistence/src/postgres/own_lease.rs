//! What this process had of the lease, and is still on its way back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

/// The lease that this process has, for whoever writes under it.
#[derive(Debug, Default)]
pub(crate) struct OwnLease {
    /// The epoch under which this process has it; 0 where it never had it, or gave it back.
    epoch: AtomicI64,
    /// What was dropped, on its way to the database.
    going_back: Mutex<Option<JoinHandle<()>>>,
}

impl OwnLease {
    pub(crate) fn begin(&self, epoch: i64) {
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Whether this process has the lease where this is the epoch in force, as far as it must have it: who never had it is held
    /// off by the lease itself.
    pub(crate) fn is_under(&self, in_force: i64) -> bool {
        let own = self.epoch.load(Ordering::Acquire);
        own == 0 || own == in_force
    }

    /// To be called with the task that gives it back.
    pub(crate) fn goes_back(&self, task: JoinHandle<()>) {
        self.epoch.store(0, Ordering::Release);
        *self.going_back() = Some(task);
    }

    fn going_back(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.going_back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what this process gave back is free for others.
    pub(crate) async fn settle(&self) {
        let going_back = self.going_back().take();
        if let Some(going_back) = going_back {
            let _ = going_back.await;
        }
    }
}
