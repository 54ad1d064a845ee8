//! `MemoryStore` keeps the contracts of the storage ports.

use std::sync::Arc;

use async_trait::async_trait;
use vega_testing::MemoryStore;
use vega_testing::contract::{Installation, Stores};

struct InMemory(Arc<MemoryStore>);

#[async_trait]
impl Installation for InMemory {
    async fn fresh() -> Self {
        Self(Arc::default())
    }

    async fn open(&self) -> Stores {
        Stores::over(&self.0)
    }
}

vega_testing::contract_tests!(InMemory);
