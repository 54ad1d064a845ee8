//! One fresh database per test, with builders for what is stored in it and a look at the raw file.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, MobileNumber, RunId, UserId};
use vega_domain::ports::{ExecutionStateRepository, NewAttempt, SignInJournal, UpstoxTokenRepository};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};
use vega_domain::secret::{AccessToken, AuthorizationCode, ExtendedToken, OAuthState, RawAnswer};
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};
use vega_persistence::{
    DataSource, SqliteExecutionStateRepository, SqliteSignInJournal, SqliteTokenRepository,
};

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) data: DataSource,
    pub(crate) tokens: SqliteTokenRepository,
    pub(crate) runs: SqliteExecutionStateRepository,
    pub(crate) journal: SqliteSignInJournal,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap()).await
    }

    /// With what is in this folder.
    pub(crate) async fn over(dir: tempfile::TempDir) -> Self {
        let data = open(&dir).await;
        Self {
            tokens: SqliteTokenRepository::new(data.clone()),
            runs: SqliteExecutionStateRepository::new(data.clone()),
            journal: SqliteSignInJournal::new(data.clone()),
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

    /// Saves a step.
    pub(crate) async fn save(&self, run: RunId, name: &str, state: &StepState) {
        let audit = entry(AuditKind::StepChanged);
        self.runs.save_step(run, &api(name), state, &audit).await.unwrap();
    }

    /// Ends a run.
    pub(crate) async fn end(&self, run: RunId, state: RunState) {
        let audit = entry(AuditKind::RunEnded);
        self.runs.move_run(run, state, &audit).await.unwrap();
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

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn entry(kind: AuditKind) -> AuditEntry {
    AuditEntry::new(at(0), kind, "")
}

pub(crate) fn api(name: &str) -> ApiName {
    ApiName::new(name).unwrap()
}

pub(crate) fn account() -> AccountId {
    AccountId::new("default").unwrap()
}

pub(crate) fn mobile() -> MobileNumber {
    MobileNumber::new("9000000001").unwrap()
}

pub(crate) fn run(apis: &[&str]) -> RunRecord {
    RunRecord {
        id: RunId::at(at(0)),
        state: RunState::Running,
        started_at: at(0),
        finished_at: None,
        steps: apis
            .iter()
            .map(|name| StepRecord {
                api: api(name),
                account: account(),
                state: StepState::Pending,
            })
            .collect(),
    }
}

pub(crate) fn attempt(run: RunId, name: &str, generation: u32) -> NewAttempt {
    let id = AttemptId::at(at(0));
    NewAttempt {
        id,
        run,
        account: account(),
        api: api(name),
        client_id: ClientId::new(format!("key-{name}")).unwrap(),
        generation: Generation::new(generation).unwrap(),
        state: OAuthState::new(format!("CANARY-state-{id}")),
        opened_at: at(0),
    }
}

pub(crate) fn token(attempt: AttemptId, name: &str, generation: u32) -> NewToken {
    NewToken {
        token: StoredToken {
            api: api(name),
            account: account(),
            client_id: ClientId::new(format!("key-{name}")).unwrap(),
            user_id: UserId::new("AB1234").unwrap(),
            generation: Generation::new(generation).unwrap(),
            access_token: AccessToken::new(format!("CANARY-token-{name}-{generation}")),
            issued_at: at(0),
            valid_until: at(50_000),
            verified_at: Some(at(3)),
            rejected_at: None,
            last_check: Some(LastCheck {
                at: at(3),
                result: CheckResult::Valid,
            }),
        },
        extended_token: Some(ExtendedToken::new("CANARY-extended")),
        attempt,
    }
}
