//! `TokenChanges` over the watch that the whole process shares.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use vega_domain::ports::TokenChanges;

use crate::sqlite::database::data_source::DataSource;

/// How long a caller is kept from asking again where the database cannot tell.
const PAUSE: Duration = Duration::from_millis(50);

/// `TokenChanges` over SQLite and the spool beside it.
#[derive(Debug)]
pub struct SqliteTokenChanges {
    data: DataSource,
    /// `None` before the first call.
    changes: Mutex<Option<watch::Receiver<u64>>>,
}

impl SqliteTokenChanges {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self {
            data,
            changes: Mutex::default(),
        }
    }
}

#[async_trait]
impl TokenChanges for SqliteTokenChanges {
    async fn changed(&self) {
        let watch = self.data.watch();
        let mut changes = self.changes.lock().await;
        // What came before this call is told by its own look, not by the next one.
        if !watch.look().await {
            *changes = None;
            tokio::time::sleep(PAUSE).await;
            return;
        }
        let Some(changes) = &mut *changes else {
            *changes = Some(watch.subscribe());
            return;
        };
        // The watch lives as long as the data source.
        let _ = changes.changed().await;
    }
}
