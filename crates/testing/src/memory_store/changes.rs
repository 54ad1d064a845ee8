//! News of a store, as one process hears them.

use std::future::pending;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use vega_domain::ports::TokenChanges;

use super::store::MemoryStore;

/// Tells of each commit of one store.
pub struct MemoryChanges(Mutex<watch::Receiver<u64>>);

impl MemoryStore {
    /// News of every commit from now on.
    pub fn changes(&self) -> MemoryChanges {
        let mut heard = self.count_changes();
        // The first call returns at once.
        heard.mark_changed();
        MemoryChanges(Mutex::new(heard))
    }
}

#[async_trait]
impl TokenChanges for MemoryChanges {
    async fn changed(&self) {
        // A store that is gone tells nothing any more.
        if self.0.lock().await.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}
