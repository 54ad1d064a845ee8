//! A database that can be told not to answer, and how often something was written to it without an entry.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use vega_domain::ports::StoreError;
use vega_testing::Watcher;

#[derive(Default)]
pub(crate) struct Disk {
    is_gone: AtomicBool,
    notes: AtomicUsize,
}

impl Disk {
    /// Whether it does not answer from now on.
    pub(crate) fn fails(&self, fails: bool) {
        self.is_gone.store(fails, Ordering::Relaxed);
    }

    /// How often a key's uses were stored and a session was touched.
    pub(crate) fn notes(&self) -> usize {
        self.notes.load(Ordering::Relaxed)
    }
}

impl Watcher for Disk {
    fn asked(&self, _: &str) -> Result<(), StoreError> {
        if self.is_gone.load(Ordering::Relaxed) {
            return Err(StoreError::Unreadable("the disk is gone".into()));
        }
        Ok(())
    }

    fn commits(&self, what: &str) -> Result<(), StoreError> {
        if what == "record_uses" || what == "touch_session" {
            self.notes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
