//! `MemoryStore` keeps the contracts of the storage ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, ApiName, AttemptId};
use vega_domain::ports::StoreError;
use vega_testing::contract::{Installation, Stores};
use vega_testing::memory_store::full;
use vega_testing::{MemoryStore, Watcher};

/// May be full.
#[derive(Default)]
struct Disk {
    is_full: AtomicBool,
    is_spool_full: AtomicBool,
}

impl Watcher for Disk {
    fn asked(&self, what: &str) -> Result<(), StoreError> {
        if what.starts_with("prepare") {
            return answer(&self.is_spool_full);
        }
        Ok(())
    }

    fn commits(&self, _: &str) -> Result<(), StoreError> {
        answer(&self.is_full)
    }

    fn spools(&self, _: &ApiName) -> Result<(), StoreError> {
        answer(&self.is_spool_full)
    }
}

fn answer(is_full: &AtomicBool) -> Result<(), StoreError> {
    if is_full.load(Ordering::Relaxed) {
        return Err(full());
    }
    Ok(())
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
        self.disk.is_full.store(refuse, Ordering::Relaxed);
    }

    async fn refuse_spool(&self, refuse: bool) {
        self.disk.is_spool_full.store(refuse, Ordering::Relaxed);
    }

    async fn damage_token(&self, api: &str) {
        self.store.damage_token(api);
    }

    async fn damage_answer(&self, attempt: AttemptId) {
        self.store.damage_answer(attempt);
    }

    async fn damage_key(&self, key: AccessKeyId) {
        self.store.damage_key(key);
    }
}

vega_testing::contract_tests!(InMemory);
