//! SQLite keeps the contracts of the storage ports.

use std::sync::Arc;

use async_trait::async_trait;
use vega_persistence::{
    SqliteAccessRepository, SqliteAuditHistory, SqliteAuditTrail, SqliteCooldownRepository,
    SqliteExecutionStateRepository, SqliteSignInJournal, SqliteTokenRepository,
};
use vega_testing::contract::{Installation, Stores};

use crate::world::open;

struct InFiles(tempfile::TempDir);

#[async_trait]
impl Installation for InFiles {
    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Stores {
        let data = open(&self.0).await;
        let journal = Arc::new(SqliteSignInJournal::new(data.clone()));
        let runs = Arc::new(SqliteExecutionStateRepository::new(data.clone()));
        let access = Arc::new(SqliteAccessRepository::new(data.clone()));
        Stores {
            cooldowns: Arc::new(SqliteCooldownRepository::new(data.clone())),
            runs: runs.clone(),
            run_history: runs,
            attempts: journal.clone(),
            otp_ledger: journal.clone(),
            codes: journal,
            tokens: Arc::new(SqliteTokenRepository::new(data.clone())),
            keys: access.clone(),
            sessions: access,
            audit: Arc::new(SqliteAuditTrail::new(data.clone())),
            history: Arc::new(SqliteAuditHistory::new(data)),
        }
    }
}

vega_testing::contract_tests!(InFiles);
