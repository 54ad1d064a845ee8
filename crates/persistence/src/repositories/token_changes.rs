//! `TokenChanges` over the watch that the whole process shares.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use vega_domain::audit::AuditEntry;
use vega_domain::ports::{StoreError, TokenChanges};
use vega_domain::token::StoredToken;

use crate::database::data_source::DataSource;
use crate::repositories::lost_tokens;

/// How long a caller is kept from asking again where the database cannot tell.
const PAUSE: Duration = Duration::from_millis(50);

/// `TokenChanges` over SQLite and the spool beside it.
#[derive(Debug)]
pub struct SqlTokenChanges {
    data: DataSource,
    /// `None` before the first call.
    changes: Mutex<Option<watch::Receiver<u64>>>,
}

impl SqlTokenChanges {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self {
            data,
            changes: Mutex::default(),
        }
    }
}

#[async_trait]
impl TokenChanges for SqlTokenChanges {
    async fn changed(&self) {
        let engine = self.data.engine();
        let mut changes = self.changes.lock().await;
        // What came before this call is told by its own look, not by the next one.
        if !engine.look_now().await {
            *changes = None;
            tokio::time::sleep(PAUSE).await;
            return;
        }
        let Some(changes) = &mut *changes else {
            *changes = Some(engine.subscribe());
            return;
        };
        // The watch lives as long as the data source.
        let _ = changes.changed().await;
    }

    fn losses(&self) -> u64 {
        self.data.trust().losses()
    }

    async fn put_back(&self, token: &StoredToken, audit: &AuditEntry) -> Result<bool, StoreError> {
        lost_tokens::put_back(&self.data, token, audit).await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use chrono::DateTime;
    use tokio::time::timeout;
    use vega_domain::audit::{AuditEntry, AuditKind};
    use vega_domain::ports::AuditTrail;

    use super::*;
    use crate::repositories::audit_trail::SqlAuditTrail;

    /// Long enough for a slow machine.
    const AT_LAST: Duration = Duration::from_secs(20);

    async fn opened(dir: &tempfile::TempDir) -> DataSource {
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let key = dir.path().join("config/vega.key");
        DataSource::open(&url, &key).await.unwrap()
    }

    /// As in a `select!` whose other branch goes first.
    #[tokio::test]
    async fn who_is_not_polled_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let data = opened(&dir).await;
        let (one, other) = (
            SqlTokenChanges::new(data.clone()),
            SqlTokenChanges::new(data.clone()),
        );
        one.changed().await;
        other.changed().await;
        let mut unpolled = pin!(one.changed());
        tokio::select! {
            biased;
            () = unpolled.as_mut() => panic!("nothing has changed"),
            () = std::future::ready(()) => {}
        }
        let entry = AuditEntry::new(DateTime::UNIX_EPOCH, AuditKind::BackupMade, "");
        SqlAuditTrail::new(data.clone()).append(&entry).await.unwrap();
        timeout(AT_LAST, other.changed()).await.unwrap();
        timeout(AT_LAST, unpolled).await.unwrap();
        data.close().await;
    }

    /// A program may hold it longer than its runtime.
    #[test]
    fn a_database_that_is_watched_may_be_dropped_outside_of_a_runtime() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let data = runtime.block_on(async {
            let data = opened(&dir).await;
            let changes = SqlTokenChanges::new(data.clone());
            changes.changed().await;
            let _ = timeout(Duration::ZERO, changes.changed()).await;
            data
        });
        drop(runtime);
        drop(data);
    }
}
