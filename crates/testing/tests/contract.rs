//! `MemoryStore` keeps the contracts of the storage ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use vega_domain::ports::StoreError;
use vega_testing::contract::{Installation, Stores};
use vega_testing::memory_store::full;
use vega_testing::{MemoryStore, Watcher};

/// May be full.
#[derive(Default)]
struct Disk(AtomicBool);

impl Watcher for Disk {
    fn commits(&self, _: &str) -> Result<(), StoreError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(full());
        }
        Ok(())
    }
}

struct InMemory {
    store: Arc<MemoryStore>,
    disk: Arc<Disk>,
}

#[async_trait]
impl Installation for InMemory {
    async fn fresh() -> Self {
        let disk = Arc::<Disk>::default();
        let store = Arc::new(MemoryStore::watched_by(disk.clone()));
        Self { store, disk }
    }

    async fn open(&self) -> Stores {
        Stores::over(&self.store)
    }

    async fn refuse_commits(&self, refuse: bool) {
        self.disk.0.store(refuse, Ordering::Relaxed);
    }
}

vega_testing::contract_tests!(InMemory);
