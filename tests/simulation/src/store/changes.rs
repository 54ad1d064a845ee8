//! News of the disk: every commit and everything that goes into the spool is told to each process that follows it.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use vega_domain::ports::TokenChanges;

use crate::here::Here;
use crate::injected_defects::InjectedDefect;

/// A process hears of a change after so long.
const TOLD_AFTER: Duration = Duration::from_millis(100);
/// Where machines share a database a notification may be lost, and the question of each second finds the change.
const FOUND_AFTER: Duration = Duration::from_secs(1);
/// One of so many. Not drawn: in which order several processes hear of a change is left to chance, and nothing may depend on it.
const LOST: u32 = 10;

/// The news as one process hears them.
pub(crate) struct DiskChanges {
    here: Here,
    heard: Mutex<watch::Receiver<u64>>,
    told: AtomicU32,
}

impl DiskChanges {
    pub(crate) fn new(here: Here) -> Self {
        let mut heard = here.world.disk.memory.count_changes();
        // The first call returns at once.
        heard.mark_changed();
        Self {
            heard: Mutex::new(heard),
            told: AtomicU32::new(here.process.number),
            here,
        }
    }
}

#[async_trait]
impl TokenChanges for DiskChanges {
    async fn changed(&self) {
        if self.here.is_injected(InjectedDefect::MissChanges) {
            pending::<()>().await;
        }
        let mut heard = self.heard.lock().await;
        // Only a desk that is closed tells nothing any more.
        if heard.changed().await.is_err() {
            pending::<()>().await;
        }
        // What is dropped from here on has been heard of all the same, so it is told again.
        heard.mark_changed();
        let is_lost = self.told.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOST);
        let is_found = is_lost && self.here.world.has_several_machines();
        let after = if is_found { FOUND_AFTER } else { TOLD_AFTER };
        self.here.rest(after).await;
        heard.mark_unchanged();
    }
}
