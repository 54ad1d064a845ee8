//! What this process has of the lease, and what of it is still on its way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::watch;

/// The lease that this process has, for whoever writes under it.
#[derive(Debug, Default)]
pub(crate) struct OwnLease {
    /// The epoch under which this process has it; 0 where it never had it, or gave it back: nobody has that one, and it is in force
    /// only until somebody has the lease for the first time.
    epoch: AtomicI64,
    /// How many were dropped and are on their way to the database.
    going_back: Arc<watch::Sender<usize>>,
}

/// One that is on its way back, until this is dropped.
pub(crate) struct GoingBack(Arc<watch::Sender<usize>>);

impl Drop for GoingBack {
    fn drop(&mut self) {
        self.0.send_modify(|going_back| *going_back -= 1);
    }
}

impl OwnLease {
    pub(crate) fn begin(&self, epoch: i64) {
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Whether this process has the lease where this is the epoch in force.
    pub(crate) fn is_under(&self, in_force: i64) -> bool {
        self.epoch.load(Ordering::Acquire) == in_force
    }

    /// To be held until it is given back.
    pub(crate) fn goes_back(&self) -> GoingBack {
        self.epoch.store(0, Ordering::Release);
        self.going_back.send_modify(|going_back| *going_back += 1);
        GoingBack(Arc::clone(&self.going_back))
    }

    /// Waits until what this process gave back is free for others.
    pub(crate) async fn settle(&self) {
        let mut going_back = self.going_back.subscribe();
        // The sender lives as long as this.
        let _ = going_back.wait_for(|going_back| *going_back == 0).await;
    }
}
