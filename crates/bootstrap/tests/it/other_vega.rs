//! Another Vega over the same database: connections of its own, and the commits that lead to a stored token.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry;
use vega_domain::ids::{AttemptId, Generation, RunId, UserId};
use vega_domain::ports::{
    ExecutionStateRepository, NewAttempt, SignInAttempts, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::run::{RunRecord, RunState};
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};
use vega_persistence::{
    DataSource, DatabasePlace, SqlExecutionStateRepository, SqlSignInJournal, SqlTokenRepository,
};

pub(crate) struct OtherVega {
    data: DataSource,
    run: RunId,
}

impl OtherVega {
    /// Opens the database and begins a run.
    pub(crate) async fn open(
        place: impl Into<DatabasePlace>,
        key_file: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let data = DataSource::open(place, key_file).await?;
        let run = RunRecord {
            id: RunId::at(now),
            state: RunState::Running,
            started_at: now,
            finished_at: None,
            steps: Vec::new(),
        };
        let runs = SqlExecutionStateRepository::new(data.clone());
        runs.begin(&run, &entry(now, AuditKind::RunStarted)).await?;
        Ok(Self { data, run: run.id })
    }

    /// Stores a verified token, with everything that comes before.
    pub(crate) async fn store(
        &self,
        account: &Account,
        api: &Api,
        generation: Generation,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let journal = SqlSignInJournal::new(self.data.clone());
        let id = AttemptId::at(now);
        let attempt = NewAttempt {
            id,
            run: self.run,
            account: account.id.clone(),
            api: api.name.clone(),
            client_id: api.client_id.clone(),
            generation,
            state: OAuthState::new(format!("CANARY-state-{id}")),
            opened_at: now,
        };
        journal
            .open_attempt(&attempt, &entry(now, AuditKind::AttemptOpened))
            .await?;
        let code = AuthorizationCode::new("CANARY-code");
        journal
            .seal_code(id, &code, now, &entry(now, AuditKind::ExchangeIntended))
            .await?;
        let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
        journal
            .seal_answer(id, &answer, now, &entry(now, AuditKind::AnswerReceived))
            .await?;
        let new = NewToken {
            token: StoredToken {
                api: api.name.clone(),
                account: account.id.clone(),
                client_id: api.client_id.clone(),
                user_id: UserId::new("AB1234")?,
                generation,
                access_token: AccessToken::new(format!("CANARY-token-{}-{generation}", api.name)),
                issued_at: now,
                valid_until: expiry::valid_until(now),
                verified_at: Some(now),
                rejected_at: None,
                last_check: Some(LastCheck {
                    at: now,
                    result: CheckResult::Valid,
                }),
            },
            extended_token: None,
            attempt: id,
        };
        let tokens = SqlTokenRepository::new(self.data.clone());
        Ok(tokens.store(&new, &entry(now, AuditKind::TokenStored)).await?)
    }

    /// Records what Upstox says about a token.
    pub(crate) async fn check(&self, api: &Api, generation: Generation, check: LastCheck) -> Result<()> {
        let check = TokenCheck {
            api: api.name.clone(),
            generation,
            check,
        };
        let audit = entry(check.check.at, AuditKind::TokenChecked);
        SqlTokenRepository::new(self.data.clone())
            .record_checks(&[(check, audit)])
            .await?;
        Ok(())
    }

    /// Ends the run and closes the database.
    pub(crate) async fn close(self, now: DateTime<Utc>) -> Result<()> {
        let runs = SqlExecutionStateRepository::new(self.data.clone());
        runs.move_run(self.run, RunState::Completed, &entry(now, AuditKind::RunEnded))
            .await?;
        self.data.close().await;
        Ok(())
    }
}

fn entry(now: DateTime<Utc>, kind: AuditKind) -> AuditEntry {
    AuditEntry::new(now, kind, "")
}
