//! PostgreSQL keeps the contracts of the storage ports.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_persistence::{
    DataSource, DatabasePlace, FileTokenSpool, SpoolingSignInAttempts, SpoolingTokenRepository,
    SqlAccessRepository, SqlAuditHistory, SqlAuditTrail, SqlCooldownRepository, SqlExecutionStateRepository,
    SqlSignInJournal, SqlTokenChanges, SqlTokenRepository,
};
use vega_testing::contract::{Installation, Stores};
use vega_testing::{PostgresServer, RecordedEvents, TestClock};

use crate::database_fixture::{at, key_path};

struct OnServer {
    url: String,
    dir: tempfile::TempDir,
}

impl OnServer {
    fn place(&self) -> DatabasePlace {
        DatabasePlace {
            folder: self.dir.path().join("data"),
            ..DatabasePlace::from(&self.url)
        }
    }

    /// Past Vega.
    fn change(&self, statements: &str) {
        PostgresServer::shared().change(&self.url, statements);
    }
}

#[async_trait]
impl Installation for OnServer {
    async fn fresh() -> Self {
        Self {
            url: PostgresServer::shared().fresh_database(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    async fn open(&self) -> Stores {
        let data = DataSource::open(&self.place(), &key_path(&self.dir))
            .await
            .unwrap();
        let events = Arc::new(RecordedEvents::default());
        let journal = Arc::new(SqlSignInJournal::new(data.clone()));
        let spool = FileTokenSpool::new(data.clone());
        let attempts = SpoolingSignInAttempts::new(journal.clone(), spool.clone(), events.clone());
        let tokens = SqlTokenRepository::new(data.clone());
        let runs = Arc::new(SqlExecutionStateRepository::new(data.clone()));
        let access = Arc::new(SqlAccessRepository::new(data.clone()));
        Stores {
            cooldowns: Arc::new(SqlCooldownRepository::new(data.clone())),
            runs: runs.clone(),
            run_history: runs,
            attempts: Arc::new(attempts),
            otp_ledger: journal.clone(),
            codes: journal,
            tokens: Arc::new(SpoolingTokenRepository::new(tokens, spool.clone(), events)),
            keys: access.clone(),
            sessions: access,
            audit: Arc::new(SqlAuditTrail::new(data.clone())),
            history: Arc::new(SqlAuditHistory::new(data.clone())),
            spool: Arc::new(spool),
            changes: Arc::new(SqlTokenChanges::new(data.clone())),
            lease: data.login_lease(TestClock::at(at(0))),
        }
    }

    /// The entry is the last of a commit's changes.
    async fn refuse_commits(&self, refuse: bool) {
        self.change(if refuse {
            "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
             CREATE TRIGGER refuses BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuses()"
        } else {
            "DROP TRIGGER refuses ON audit_events; DROP FUNCTION refuses"
        });
    }

    /// A file stands where the folder belongs.
    async fn refuse_spool(&self, refuse: bool) {
        let data = DataSource::open(&self.place(), &key_path(&self.dir))
            .await
            .unwrap();
        let folder = data.path().with_extension("spool");
        if refuse {
            std::fs::write(folder, "").unwrap();
        } else {
            std::fs::remove_file(folder).unwrap();
        }
    }

    async fn damage_token(&self, api: &str) {
        self.change(&format!(
            "UPDATE upstox_tokens SET sealed_access_token = '\\x00' WHERE api = '{api}'"
        ));
    }

    async fn damage_answer(&self, attempt: AttemptId) {
        let id = attempt.as_uuid().simple();
        self.change(&format!(
            "UPDATE sign_in_attempts SET sealed_answer = '\\x00' WHERE id = '\\x{id}'"
        ));
    }

    async fn damage_key(&self, key: AccessKeyId) {
        let id = key.as_uuid().simple();
        self.change(&format!(
            "UPDATE access_keys SET scopes = 'admin' WHERE id = '\\x{id}'"
        ));
    }
}

vega_testing::contract_tests!(OnServer);
