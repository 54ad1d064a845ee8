//! What this process had of the lease, and is still on its way back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

/// The lease that this process has, for whoever writes under it.
#[derive(Debug, Default)]
pub(crate) struct OwnLease {
    /// What was dropped, on its way to the database.
    going_back: Mutex<Option<JoinHandle<()>>>,
}

impl OwnLease {
    /// To be called with the task that gives it back.
    pub(crate) fn goes_back(&self, task: JoinHandle<()>) {
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
