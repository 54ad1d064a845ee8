//! An in-memory database for tokens, sign-in journal, runs and audit trail. It keeps the ports' contracts and can be
//! told to fail at one named effect.

mod cooldowns;

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, Generation, MobileNumber, RunId, UserId};
use vega_domain::moment::Moment;
use vega_domain::ports::{
    AuditTrail, Delivery, ExecutionStateRepository, LastFailure, LeftAnswer, LoadedToken, NewAttempt,
    OtpGrant, SignInJournal, StoreError, TokenCheck, UnfinishedAttempt, UpstoxTokenRepository,
};
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{NewToken, StoredToken};

use crate::world::Log;

struct Row {
    attempt: UnfinishedAttempt,
    is_open: bool,
    closed_by: Option<Failure>,
}

#[derive(Default)]
struct Tables {
    tokens: Vec<StoredToken>,
    attempts: Vec<Row>,
    runs: Vec<RunRecord>,
    cooldowns: Vec<Cooldown>,
    presses: Vec<Moment>,
    cancel_requested: Option<RunId>,
    last_failures: Vec<LastFailure>,
    audit: Vec<AuditEntry>,
    heads: Vec<(RunId, usize)>,
}

pub(crate) struct Database {
    log: Arc<Log>,
    fails_at: Mutex<Option<String>>,
    fails_once_at: Mutex<Option<String>>,
    tables: Mutex<Tables>,
}

impl Database {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self {
            log,
            fails_at: Mutex::default(),
            fails_once_at: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    /// From now on the named effect fails and changes nothing.
    pub(crate) fn fail_at(&self, effect: &str) {
        *self.fails_at.lock().unwrap() = Some(effect.to_owned());
    }

    /// The next time, the named effect fails and changes nothing.
    pub(crate) fn fail_once_at(&self, effect: &str) {
        *self.fails_once_at.lock().unwrap() = Some(effect.to_owned());
    }

    pub(crate) fn heal(&self) {
        *self.fails_at.lock().unwrap() = None;
        *self.fails_once_at.lock().unwrap() = None;
    }

    /// Replaces the newest token of an API without asking, as another process would.
    pub(crate) fn put(&self, token: StoredToken) {
        let mut tables = self.tables();
        tables.tokens.retain(|held| held.api != token.api);
        tables.tokens.push(token);
    }

    pub(crate) fn token(&self, api: &str) -> Option<StoredToken> {
        let tables = self.tables();
        tables
            .tokens
            .iter()
            .find(|token| token.api.as_str() == api)
            .cloned()
    }

    pub(crate) fn runs(&self) -> Vec<RunRecord> {
        self.tables().runs.clone()
    }

    pub(crate) fn audit(&self) -> Vec<AuditEntry> {
        self.tables().audit.clone()
    }

    /// After which runs the trail's end was kept, and how many entries it had.
    pub(crate) fn heads(&self) -> Vec<(RunId, usize)> {
        self.tables().heads.clone()
    }

    pub(crate) fn cooldowns(&self) -> Vec<Cooldown> {
        self.tables().cooldowns.clone()
    }

    /// Attempts that are neither stored nor closed.
    pub(crate) fn open_attempts(&self) -> usize {
        let tables = self.tables();
        tables.attempts.iter().filter(|row| row.is_open).count()
    }

    /// Closes the newest attempt, and says nothing of its step.
    pub(crate) async fn close_newest_attempt(&self, failure: &Failure, audit: &AuditEntry) {
        let newest = self.tables().attempts.last().unwrap().attempt.id;
        SignInJournal::close(self, newest, failure, audit.at, audit)
            .await
            .unwrap();
    }

    /// The last sign-in for this API failed like this.
    pub(crate) fn failed(&self, api: &str, reason: FailureReason, at: DateTime<Utc>) {
        let api = ApiName::new(api).unwrap();
        let failure = Failure::new(reason, "words");
        let mut tables = self.tables();
        tables.last_failures.retain(|last| last.api != api);
        tables.last_failures.push(LastFailure {
            api,
            run_began: at,
            stored: at,
            failure,
            attempt: Some(AttemptId::at(at)),
        });
    }

    /// Nobody is closed any more.
    pub(crate) fn opens_all(&self) {
        self.tables().cooldowns.clear();
    }

    /// "Get OTP" was pressed then.
    pub(crate) fn pressed(&self, at: Moment) {
        self.tables().presses.push(at);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    fn commit(&self, effect: &str, audit: &AuditEntry) -> Result<(), StoreError> {
        let for_good = self.fails_at.lock().unwrap().as_deref() == Some(effect);
        let once = self
            .fails_once_at
            .lock()
            .unwrap()
            .take_if(|at| at == effect)
            .is_some();
        if for_good || once {
            self.log.add(format!("{effect} fails"));
            return Err(StoreError::Failed {
                doing: "write",
                source: "the disk is full".into(),
            });
        }
        self.log.add(effect);
        self.tables().audit.push(audit.clone());
        Ok(())
    }
}

fn open(tables: &mut Tables, id: AttemptId) -> Result<&mut Row, StoreError> {
    let mut rows = tables.attempts.iter_mut();
    rows.find(|row| row.attempt.id == id && row.is_open)
        .ok_or_else(|| StoreError::Conflict("the attempt is not open".into()))
}

#[async_trait]
impl SignInJournal for Database {
    async fn open_attempt(&self, new: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("open_attempt {}", new.api), audit)?;
        let attempt = UnfinishedAttempt {
            id: new.id,
            run: new.run,
            account: new.account.clone(),
            api: new.api.clone(),
            client_id: new.client_id.clone(),
            generation: new.generation,
            opened_at: new.opened_at,
            otp_pressed: false,
            delivered: None,
            exchange_sent_at: None,
            answer: LeftAnswer::None,
        };
        self.tables().attempts.push(Row {
            attempt,
            is_open: true,
            closed_by: None,
        });
        Ok(())
    }

    async fn request_otp(
        &self,
        _attempt: AttemptId,
        _mobile: &MobileNumber,
        _budget: OtpBudget,
        _now: &Moment,
    ) -> Result<OtpGrant, StoreError> {
        Ok(OtpGrant::Granted)
    }

    async fn deliver_code(
        &self,
        _state: &OAuthState,
        _code: &AuthorizationCode,
        _at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        unreachable!("the sign-ins here are scripted")
    }

    async fn delivered_code(&self, _state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        Ok(None)
    }

    async fn note_otp(
        &self,
        _attempt: AttemptId,
        _mobile: &MobileNumber,
        _now: &Moment,
    ) -> Result<(), StoreError> {
        unreachable!("nobody presses in a window here")
    }

    async fn seal_code(
        &self,
        id: AttemptId,
        _code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        open(&mut tables, id)?.attempt.exchange_sent_at = Some(at);
        tables.audit.push(audit.clone());
        Ok(())
    }

    async fn seal_answer(
        &self,
        id: AttemptId,
        answer: &RawAnswer,
        _at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        open(&mut tables, id)?.attempt.answer = LeftAnswer::Sealed(answer.clone());
        tables.audit.push(audit.clone());
        Ok(())
    }

    async fn close(
        &self,
        id: AttemptId,
        failure: &Failure,
        _at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Ok(row) = open(&mut tables, id) {
            row.is_open = false;
            row.closed_by = Some(failure.clone());
            tables.audit.push(audit.clone());
        }
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let tables = self.tables();
        let open = tables.attempts.iter().filter(|row| row.is_open);
        Ok(open.map(|row| row.attempt.clone()).collect())
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        let tables = self.tables();
        let of_step = |row: &&Row| row.attempt.run == run && row.attempt.api == *api;
        let newest = tables.attempts.iter().rfind(of_step);
        Ok(newest.and_then(|row| row.closed_by.clone()))
    }

    async fn otp_presses(&self, _mobile: &MobileNumber, _newest: u32) -> Result<Vec<Moment>, StoreError> {
        Ok(self.tables().presses.clone())
    }
}

#[async_trait]
impl UpstoxTokenRepository for Database {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        let tables = self.tables();
        let tokens = tables.tokens.iter();
        Ok(tokens.map(|token| Ok(token.clone())).collect())
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        Ok(self.token(api.as_str()).map(|token| token.generation))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        let tables = self.tables();
        let mut of_account = tables.tokens.iter().filter(|token| token.account == *account);
        Ok(of_account.next().map(|token| token.user_id.clone()))
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let api = &new.token.api;
        let before = self.token(api.as_str()).map(|token| token.generation);
        if new.token.generation != Generation::after(before) {
            return Err(StoreError::Conflict("another token was stored first".into()));
        }
        open(&mut self.tables(), new.attempt)?;
        self.commit(&format!("store {api}"), audit)?;
        open(&mut self.tables(), new.attempt)?.is_open = false;
        self.put(new.token.clone());
        Ok(())
    }

    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit(&format!("record_check {}", check.api), audit)?;
        let mut tables = self.tables();
        let mut tokens = tables.tokens.iter_mut();
        let newest = tokens.find(|token| token.api == check.api && token.generation == check.generation);
        let is_newest = newest.is_some();
        if let Some(token) = newest {
            token.apply(check.check);
        }
        Ok(is_newest)
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let is_dead = |token: &StoredToken| token.valid_until + TimeDelta::days(1) < now;
        let dead = self.tables().tokens.iter().filter(|token| is_dead(token)).count();
        if dead > 0 {
            self.commit("erase_dead", &AuditEntry::new(now, AuditKind::TokensErased, ""))?;
            self.tables().tokens.retain(|token| !is_dead(token));
        }
        Ok(dead as u64)
    }
}

#[async_trait]
impl ExecutionStateRepository for Database {
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        if self.tables().runs.iter().any(|run| run.state.is_active()) {
            return Err(StoreError::Conflict("another run is active".into()));
        }
        self.commit("begin", audit)?;
        self.tables().runs.push(run.clone());
        Ok(())
    }

    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let (reason, _) = state.reason();
        let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        self.commit(&format!("{api} {}{reason}", state.as_str()), audit)?;
        let mut tables = self.tables();
        let record = tables
            .runs
            .iter_mut()
            .find(|record| record.id == run && record.state.is_active());
        let record = record.ok_or_else(|| StoreError::Conflict("the run is not active".into()))?;
        let step = record.steps.iter_mut().find(|step| step.api == *api);
        let step = step.ok_or_else(|| StoreError::Conflict("no such step".into()))?;
        if step.state.is_final() || !step.state.may_become(state) {
            return Err(StoreError::Conflict(format!("{step:?} is no way to {state:?}")));
        }
        step.state = state.clone();
        Ok(())
    }

    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("run {}", to.as_str()), audit)?;
        let mut tables = self.tables();
        let record = tables.runs.iter_mut().find(|record| record.id == run);
        let record = record.filter(|record| record.state.may_become(to));
        let record = record.ok_or_else(|| StoreError::Conflict("a refused move".into()))?;
        record.state = to;
        record.finished_at = (!to.is_active()).then_some(audit.at);
        Ok(())
    }

    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        let runs = self.runs();
        let left = runs
            .iter()
            .find(|left| left.id == run.id && left.state == RunState::Incomplete);
        let Some(left) = left.filter(|_| !runs.iter().any(|run| run.state.is_active())) else {
            return Err(StoreError::Conflict("this run is not to be taken up".into()));
        };
        for step in &run.steps {
            let from = left.steps.iter().find(|from| from.api == step.api);
            if from.is_some_and(|from| from.state != step.state && !from.state.may_become(&step.state)) {
                return Err(StoreError::Conflict(format!("{from:?} is no way to {step:?}")));
            }
        }
        self.commit("take_up", audit)?;
        let mut tables = self.tables();
        tables.cancel_requested = None;
        if let Some(left) = tables.runs.iter_mut().find(|left| left.id == run.id) {
            *left = run.clone();
        }
        Ok(())
    }

    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut runs = self.runs();
        runs.retain(|run| run.state == RunState::Incomplete);
        runs.reverse();
        Ok(runs)
    }

    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.runs().into_iter().find(|record| record.id == run))
    }

    async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.runs().into_iter().max_by_key(|record| record.id))
    }

    async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.runs().into_iter().find(|run| run.state.is_active()))
    }

    async fn request_cancel(&self, _at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
        let mut tables = self.tables();
        let active = tables
            .runs
            .iter()
            .find(|run| run.state.is_active())
            .map(|run| run.id);
        tables.cancel_requested = active.or(tables.cancel_requested);
        Ok(active)
    }

    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError> {
        Ok(self.tables().cancel_requested == Some(run))
    }

    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError> {
        Ok(self.tables().last_failures.clone())
    }
}

#[async_trait]
impl AuditTrail for Database {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.commit("append", entry)
    }

    async fn append_about(&self, entry: &AuditEntry, _token: &AccessToken) -> Result<(), StoreError> {
        self.commit("append", entry)
    }

    async fn keep_head(&self, run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        if self.fails_at.lock().unwrap().as_deref() == Some("keep_head") {
            return Err(StoreError::Unreadable(
                "the folder of the key is read-only".into(),
            ));
        }
        let mut tables = self.tables();
        let written = tables.audit.len();
        tables.heads.push((run, written));
        Ok(())
    }
}
