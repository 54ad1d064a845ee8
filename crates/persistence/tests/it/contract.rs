//! SQLite keeps the contracts of the storage ports.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_persistence::{
    DataSource, FileTokenSpool, SpoolingSignInAttempts, SpoolingTokenRepository, SqlAccessRepository,
    SqlAuditHistory, SqlAuditTrail, SqlConsumers, SqlCooldownRepository, SqlExecutionStateRepository,
    SqlFileDeliveries, SqlSignInJournal, SqlTokenChanges, SqlTokenRepository,
};
use vega_testing::contract::{Installation, Stores};
use vega_testing::{RecordedEvents, TestClock};

use crate::database_fixture::{at, database_path, open};

struct InFiles(tempfile::TempDir);

impl InFiles {
    /// A look at the file past Vega.
    async fn raw(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(database_path(&self.0));
        SqliteConnection::connect_with(&file).await.unwrap()
    }
}

/// The ports of one process over an open database, whichever engine it has.
pub(crate) fn stores_over(data: &DataSource) -> Stores {
    let events = Arc::new(RecordedEvents::default());
    let journal = Arc::new(SqlSignInJournal::new(data.clone()));
    let spool = FileTokenSpool::new(data.clone());
    let attempts = SpoolingSignInAttempts::new(journal.clone(), spool.clone(), events.clone());
    let tokens = SqlTokenRepository::new(data.clone());
    let runs = Arc::new(SqlExecutionStateRepository::new(data.clone()));
    let access = Arc::new(SqlAccessRepository::new(data.clone()));
    Stores {
        cooldowns: Arc::new(SqlCooldownRepository::new(data.clone())),
        deliveries: Arc::new(SqlFileDeliveries::new(data.clone())),
        runs: runs.clone(),
        run_history: runs,
        attempts: Arc::new(attempts),
        otp_ledger: journal.clone(),
        codes: journal,
        adoption: Arc::new(tokens.clone()),
        tokens: Arc::new(SpoolingTokenRepository::new(tokens, spool.clone(), events)),
        keys: access.clone(),
        sessions: access,
        consumers: Arc::new(SqlConsumers::new(data.clone())),
        audit: Arc::new(SqlAuditTrail::new(data.clone())),
        history: Arc::new(SqlAuditHistory::new(data.clone())),
        spool: Arc::new(spool),
        changes: Arc::new(SqlTokenChanges::new(data.clone())),
        lease: data.login_lease(TestClock::at(at(0))),
    }
}

#[async_trait]
impl Installation for InFiles {
    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Stores {
        stores_over(&open(&self.0).await)
    }

    /// The entry is the last of a commit's changes.
    async fn refuse_commits(&self, refuse: bool) {
        let change = if refuse {
            "CREATE TRIGGER refuses BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        } else {
            "DROP TRIGGER refuses"
        };
        sqlx::query(change).execute(&mut self.raw().await).await.unwrap();
    }

    /// A file stands where the folder belongs.
    async fn refuse_spool(&self, refuse: bool) {
        let folder = database_path(&self.0).with_extension("spool");
        if refuse {
            std::fs::write(folder, "").unwrap();
        } else {
            std::fs::remove_file(folder).unwrap();
        }
    }

    async fn damage_token(&self, api: &str) {
        sqlx::query("UPDATE upstox_tokens SET sealed_access_token = x'00' WHERE api = $1")
            .bind(api)
            .execute(&mut self.raw().await)
            .await
            .unwrap();
    }

    async fn damage_answer(&self, attempt: AttemptId) {
        sqlx::query("UPDATE sign_in_attempts SET sealed_answer = x'00' WHERE id = $1")
            .bind(attempt.as_uuid())
            .execute(&mut self.raw().await)
            .await
            .unwrap();
    }

    async fn damage_key(&self, key: AccessKeyId) {
        sqlx::query("UPDATE access_keys SET scopes = 'admin' WHERE id = $1")
            .bind(key.as_uuid())
            .execute(&mut self.raw().await)
            .await
            .unwrap();
    }
}

vega_testing::contract_tests!(InFiles);
