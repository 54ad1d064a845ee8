//! Deliveries of tokens to files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use vega_domain::audit::AuditEntry;
use vega_domain::file_delivery::FileDelivery;
use vega_domain::ports::{DeliveryClaim, FileDeliveries, StoreError};

use super::store::{Done, MemoryStore};

/// Held until it is dropped.
#[derive(Debug)]
struct Claim(Arc<AtomicBool>);

impl DeliveryClaim for Claim {}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl FileDeliveries for MemoryStore {
    async fn claim(&self) -> Result<Option<Box<dyn DeliveryClaim>>, StoreError> {
        let is_free = !self.delivers.swap(true, Ordering::SeqCst);
        Ok(is_free.then(|| Box::new(Claim(Arc::clone(&self.delivers))) as Box<dyn DeliveryClaim>))
    }

    async fn load(&self) -> Result<Vec<FileDelivery>, StoreError> {
        self.look("deliveries", |tables| {
            tables.deliveries.values().cloned().collect()
        })
    }

    async fn record(&self, delivery: &FileDelivery, audit: &[AuditEntry]) -> Result<(), StoreError> {
        self.commit(&format!("deliver {}", delivery.path.display()), |tables| {
            tables.deliveries.insert(delivery.path.clone(), delivery.clone());
            Ok(Done::with_all((), audit.to_vec()))
        })
    }

    async fn forget(&self, path: &Path, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("forget {}", path.display()), |tables| {
            tables.deliveries.remove(path);
            Ok(Done::with((), audit))
        })
    }
}
