//! The lease of the installation: held once, until it is dropped or a test gives it to another process.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::DateTime;
use vega_domain::ports::{Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use super::store::{MemoryStore, Watcher};
use super::tables::LeaseState;

impl MemoryStore {
    /// Another process takes the lease, or gives it back.
    pub fn lease_is_held_by(&self, holder: Option<LeaseHolder>) {
        let mut state = self.lease.lock().unwrap();
        state.is_lost |= holder.as_ref().is_some_and(|holder| !holder.is_this_process);
        state.elsewhere = holder;
    }

    /// Whether nobody of this process holds it.
    pub fn is_lease_free(&self) -> bool {
        !self.lease.lock().unwrap().is_held
    }
}

#[async_trait]
impl LoginLease for MemoryStore {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        let mut state = self.lease.lock().unwrap();
        if state.is_held || state.elsewhere.is_some() {
            return Err(LeaseError::Held(state.holder()));
        }
        (state.is_held, state.is_lost) = (true, false);
        self.watcher.leases("lease taken");
        Ok(Box::new(Held {
            state: Arc::clone(&self.lease),
            watcher: Arc::clone(&self.watcher),
        }))
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        Ok(self.lease.lock().unwrap().holder())
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        self.watcher.asked("refuse_taken_over")?;
        let state = self.lease.lock().unwrap();
        if state.is_lost {
            return Err(StoreError::TakenOver(state.elsewhere.clone()));
        }
        Ok(())
    }
}

impl LeaseState {
    fn holder(&self) -> Option<LeaseHolder> {
        let here = || LeaseHolder {
            pid: std::process::id(),
            host: "here".into(),
            since: DateTime::UNIX_EPOCH,
            is_this_process: true,
        };
        self.elsewhere.clone().or_else(|| self.is_held.then(here))
    }
}

struct Held {
    state: Arc<Mutex<LeaseState>>,
    watcher: Arc<dyn Watcher>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Lease for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.watcher.leases("lease given back");
        self.state.lock().unwrap().is_held = false;
    }
}
