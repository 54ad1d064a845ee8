//! One fresh database per test, with a look at the raw file.

use std::path::PathBuf;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vega_domain::audit::AuditKind;
use vega_domain::ids::{AttemptId, RunId};
use vega_domain::ports::{ExecutionStateRepository, SignInAttempts, UpstoxTokenRepository};
use vega_domain::run::StepState;
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::token::StoredToken;
use vega_persistence::{DataSource, SqlExecutionStateRepository, SqlSignInJournal, SqlTokenRepository};

pub(crate) use vega_testing::builders::{account, api, at, attempt, entry, mobile, run, token};

pub(crate) struct DatabaseFixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) data: DataSource,
    pub(crate) tokens: SqlTokenRepository,
    pub(crate) runs: SqlExecutionStateRepository,
    pub(crate) journal: SqlSignInJournal,
}

impl DatabaseFixture {
    pub(crate) async fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap()).await
    }

    /// With what is in this folder.
    pub(crate) async fn over(dir: tempfile::TempDir) -> Self {
        let data = open(&dir).await;
        Self::of(dir, data)
    }

    /// Over an open database, whose key is in this folder.
    pub(crate) fn of(dir: tempfile::TempDir, data: DataSource) -> Self {
        Self {
            tokens: SqlTokenRepository::new(data.clone()),
            runs: SqlExecutionStateRepository::new(data.clone()),
            journal: SqlSignInJournal::new(data.clone()),
            data,
            dir,
        }
    }

    /// A second, independent look at the file.
    pub(crate) async fn raw(&self) -> SqlitePool {
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(self.data.path()))
            .await
            .unwrap()
    }

    /// The newest token of an API.
    pub(crate) async fn token(&self, name: &str) -> StoredToken {
        let all = self.tokens.load_all().await.unwrap();
        all.into_iter()
            .map(Result::unwrap)
            .find(|token| token.api.as_str() == name)
            .unwrap()
    }

    pub(crate) async fn audit_kinds(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT kind FROM audit_events ORDER BY id")
            .fetch_all(&self.raw().await)
            .await
            .unwrap()
    }

    pub(crate) async fn running(&self, apis: &[&str]) -> RunId {
        let run = run(apis);
        self.runs
            .begin(&run, &entry(AuditKind::RunStarted))
            .await
            .unwrap();
        run.id
    }

    /// An attempt as it is just before its token is stored.
    pub(crate) async fn answered(&self, run: RunId, api: &str, generation: u32) -> AttemptId {
        let attempt = attempt(run, api, generation);
        let journal = &self.journal;
        journal
            .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        let code = AuthorizationCode::new("CANARY-code");
        journal
            .seal_code(attempt.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
            .await
            .unwrap();
        let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
        journal
            .seal_answer(attempt.id, &answer, at(2), &entry(AuditKind::AnswerReceived))
            .await
            .unwrap();
        attempt.id
    }

    /// Everything the database left on disk.
    pub(crate) fn bytes_on_disk(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(self.dir.path().join("data")).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }

    /// Puts all runs and steps into these states, whatever the database says to the way there.
    pub(crate) async fn put_run_and_steps_in(&self, run: &str, step: &StepState) {
        // On one connection: another one may still know a trigger that is gone.
        let mut raw = self.raw().await.acquire().await.unwrap();
        let triggers: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'execution_%'",
        )
        .fetch_all(&mut *raw)
        .await
        .unwrap();
        assert!(!triggers.is_empty());
        let mut run_sql = async |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *raw).await;
        for (name, _) in &triggers {
            run_sql(format!("DROP TRIGGER {name}")).await.unwrap();
        }
        let reason = step
            .reason()
            .0
            .map_or("NULL".into(), |reason| format!("'{reason}'"));
        let step = step.as_str();
        run_sql(format!("UPDATE execution_runs SET state = '{run}'"))
            .await
            .unwrap();
        run_sql(format!(
            "UPDATE execution_steps SET state = '{step}', reason = {reason}"
        ))
        .await
        .unwrap();
        for (_, sql) in triggers {
            run_sql(sql).await.unwrap();
        }
    }
}

pub(crate) fn database_path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("data/vega_trade.db")
}

pub(crate) fn key_path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("config/vega.key")
}

pub(crate) fn url(dir: &tempfile::TempDir) -> String {
    format!("sqlite://{}", database_path(dir).display())
}

pub(crate) async fn open(dir: &tempfile::TempDir) -> DataSource {
    DataSource::open(&url(dir), &key_path(dir)).await.unwrap()
}
