//! SQLite keeps the contracts of the storage ports.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
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

    /// The entry is the last of a commit's changes.
    async fn refuse_commits(&self, refuse: bool) {
        let data = open(&self.0).await;
        let file = SqliteConnectOptions::new().filename(data.path());
        let mut file = SqliteConnection::connect_with(&file).await.unwrap();
        let change = if refuse {
            "CREATE TRIGGER refuses BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        } else {
            "DROP TRIGGER refuses"
        };
        sqlx::query(change).execute(&mut file).await.unwrap();
    }
}

vega_testing::contract_tests!(InFiles);
