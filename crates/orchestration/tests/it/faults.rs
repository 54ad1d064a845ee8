//! What fails in a test's database and in its spool, and which of their effects are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use vega_domain::ids::ApiName;
use vega_domain::ports::StoreError;
use vega_testing::memory_store::full;
use vega_testing::{Effects, Watcher};

pub(crate) struct Faults {
    log: Arc<Effects>,
    /// What was asked of the spool.
    pub(crate) spool: Effects,
    is_spool_broken: AtomicBool,
    for_good: Mutex<Option<String>>,
    once: Mutex<Option<String>>,
}

impl Faults {
    pub(crate) fn new(log: Arc<Effects>) -> Self {
        Self {
            log,
            spool: Effects::default(),
            is_spool_broken: AtomicBool::default(),
            for_good: Mutex::default(),
            once: Mutex::default(),
        }
    }

    /// From now on the named effect fails and changes nothing.
    pub(crate) fn fail_at(&self, effect: &str) {
        *self.for_good.lock().unwrap() = Some(effect.to_owned());
    }

    /// The next time, the named effect fails and changes nothing.
    pub(crate) fn fail_once_at(&self, effect: &str) {
        *self.once.lock().unwrap() = Some(effect.to_owned());
    }

    /// From now on no room can be made in the spool and nothing moved out of it.
    pub(crate) fn spool_fails(&self) {
        self.is_spool_broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn heal(&self) {
        *self.for_good.lock().unwrap() = None;
        *self.once.lock().unwrap() = None;
    }
}

/// What happens within one sign-in and beside the run.
const UNTOLD: [&str; 8] = [
    "request_otp",
    "note_otp",
    "seal_code",
    "seal_answer",
    "close_attempt",
    "keep_checkpoint",
    "request_cancel",
    "redate",
];

impl Watcher for Faults {
    fn asked(&self, what: &str) -> Result<(), StoreError> {
        let (word, _) = what.split_once(' ').unwrap_or((what, ""));
        if ["prepare", "is_empty", "import"].contains(&word) {
            if self.is_spool_broken.load(Ordering::Relaxed) {
                return Err(full());
            }
            self.spool.add(what);
        }
        Ok(())
    }

    /// What the database does not take is lost: the worst that a run can meet.
    fn spools(&self, _: &ApiName) -> Result<(), StoreError> {
        Err(full())
    }

    fn leases(&self, what: &str) {
        self.log.add(what);
    }

    fn commits(&self, what: &str) -> Result<(), StoreError> {
        let (word, _) = what.split_once(' ').unwrap_or((what, ""));
        let what = if word == "append" { word } else { what };
        let for_good = self.for_good.lock().unwrap().as_deref() == Some(what);
        let once = self.once.lock().unwrap().take_if(|at| at == what).is_some();
        if for_good || once {
            self.log.add(format!("{what} fails"));
            return Err(full());
        }
        if !UNTOLD.contains(&word) {
            self.log.add(what);
        }
        Ok(())
    }
}
