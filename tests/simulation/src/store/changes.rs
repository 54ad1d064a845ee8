//! News of the disk: every commit and everything that goes into the spool is told to each process that follows it.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use vega_domain::ports::TokenChanges;

use crate::here::Here;
use crate::injected_defects::InjectedDefect;

/// A process hears of a change after so long.
const TOLD_AFTER: Duration = Duration::from_millis(100);

/// The news as one process hears them.
pub(crate) struct DiskChanges {
    here: Here,
    heard: Mutex<watch::Receiver<u64>>,
}

impl DiskChanges {
    pub(crate) fn new(here: Here) -> Self {
        let mut heard = here.world.disk.memory.count_changes();
        // The first call returns at once.
        heard.mark_changed();
        Self {
            heard: Mutex::new(heard),
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
        self.here.rest(TOLD_AFTER).await;
        heard.mark_unchanged();
    }
}
