//! An in-memory database that keeps the contracts of the token repository, the sign-in journal and the step recorder,
//! and that can be told to fail at one named effect.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, Generation, MobileNumber, RunId, UserId};
use vega_domain::ports::{
    AuditTrail, CodeDelivery, Delivery, LeftAnswer, LoadedToken, NewAttempt, OtpGrant, OtpLedger,
    SignInAttempts, StoreError, TokenCheck, UnfinishedAttempt, UpstoxTokenRepository,
};
use vega_domain::run::StepState;
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::{OtpAllowance, OtpBudget};
use vega_domain::token::{NewToken, StoredToken};
use vega_services::{HotTokenRegistry, StepRecorder};

use crate::world::Log;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Stored,
    Closed(FailureReason),
}

struct Row {
    attempt: NewAttempt,
    delivered: Option<AuthorizationCode>,
    sent_at: Option<DateTime<Utc>>,
    answer: Option<RawAnswer>,
    end: End,
}

#[derive(Default)]
struct Tables {
    attempts: Vec<Row>,
    presses: Vec<(AttemptId, MobileNumber, ClockReading)>,
    tokens: Vec<NewToken>,
    audit: Vec<AuditEntry>,
}

pub(crate) struct Database {
    log: Arc<Log>,
    registry: Arc<HotTokenRegistry>,
    fails_at: Mutex<Option<&'static str>>,
    tables: Mutex<Tables>,
}

impl Database {
    pub(crate) fn new(log: Arc<Log>, registry: Arc<HotTokenRegistry>) -> Self {
        Self {
            log,
            registry,
            fails_at: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    /// From now on the named effect fails and changes nothing.
    pub(crate) fn fail_at(&self, effect: &'static str) {
        *self.fails_at.lock().unwrap() = Some(effect);
    }

    pub(crate) fn heal(&self) {
        *self.fails_at.lock().unwrap() = None;
    }

    pub(crate) fn tokens(&self) -> Vec<NewToken> {
        self.tables().tokens.clone()
    }

    pub(crate) fn attempts(&self) -> Vec<NewAttempt> {
        let tables = self.tables();
        tables.attempts.iter().map(|row| row.attempt.clone()).collect()
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        self.tables().attempts.iter().map(|row| row.end).collect()
    }

    pub(crate) fn audit(&self) -> Vec<AuditEntry> {
        self.tables().audit.clone()
    }

    /// A token as an earlier run left it.
    pub(crate) fn holds(&self, token: StoredToken, attempt: AttemptId) {
        self.tables().tokens.push(NewToken {
            token,
            extended_token: None,
            attempt,
        });
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    fn fails(&self, effect: &str) -> Result<(), StoreError> {
        if self.fails_at.lock().unwrap().is_some_and(|at| at == effect) {
            self.log.add(format!("{effect} fails"));
            return Err(StoreError::Failed {
                doing: "write",
                source: "the disk is full".into(),
            });
        }
        Ok(())
    }

    /// One commit: written to the log and to the audit trail, or refused.
    fn commit(&self, effect: &str, audit: &AuditEntry) -> Result<(), StoreError> {
        self.fails(effect)?;
        self.log.add(effect);
        self.tables().audit.push(audit.clone());
        Ok(())
    }
}

fn open(tables: &mut Tables, attempt: AttemptId) -> Result<&mut Row, StoreError> {
    tables
        .attempts
        .iter_mut()
        .find(|row| row.attempt.id == attempt && row.end == End::Open)
        .ok_or_else(|| StoreError::Conflict("the attempt is not open".into()))
}

#[async_trait]
impl SignInAttempts for Database {
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit("open_attempt", audit)?;
        self.tables().attempts.push(Row {
            attempt: attempt.clone(),
            delivered: None,
            sent_at: None,
            answer: None,
            end: End::Open,
        });
        Ok(())
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        _code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        if open(&mut self.tables(), attempt)?.sent_at.is_some() {
            return Err(StoreError::Conflict(
                "this attempt already intends an exchange".into(),
            ));
        }
        self.commit("seal_code", audit)?;
        open(&mut self.tables(), attempt)?.sent_at = Some(at);
        Ok(())
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        _at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        if open(&mut self.tables(), attempt)?.sent_at.is_none() {
            return Err(StoreError::Conflict("this attempt waits for no answer".into()));
        }
        self.commit("seal_answer", audit)?;
        open(&mut self.tables(), attempt)?.answer = Some(answer.clone());
        Ok(())
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        _at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.fails("close")?;
        if open(&mut self.tables(), attempt).is_err() {
            return Ok(());
        }
        self.commit(&format!("close {}", failure.reason), audit)?;
        open(&mut self.tables(), attempt)?.end = End::Closed(failure.reason);
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        self.fails("unfinished")?;
        let tables = self.tables();
        let open = tables.attempts.iter().filter(|row| row.end == End::Open);
        Ok(open
            .map(|row| UnfinishedAttempt {
                id: row.attempt.id,
                run: row.attempt.run,
                account: row.attempt.account.clone(),
                api: row.attempt.api.clone(),
                client_id: row.attempt.client_id.clone(),
                generation: row.attempt.generation,
                opened_at: row.attempt.opened_at,
                otp_pressed: tables
                    .presses
                    .iter()
                    .any(|(pressed, ..)| *pressed == row.attempt.id),
                delivered: row.delivered.clone(),
                exchange_sent_at: row.sent_at,
                answer: row.answer.clone().map_or(LeftAnswer::None, LeftAnswer::Sealed),
            })
            .collect())
    }

    async fn unsaved_failure(&self, _run: RunId, _api: &ApiName) -> Result<Option<Failure>, StoreError> {
        unreachable!("runs ask, the service does not")
    }
}

#[async_trait]
impl OtpLedger for Database {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        self.fails("request_otp")?;
        self.log.add("request_otp");
        let mut tables = self.tables();
        open(&mut tables, attempt)?;
        if tables.presses.iter().any(|(pressed, _, _)| *pressed == attempt) {
            return Ok(OtpGrant::PressedBefore);
        }
        let of_number = |(_, number, at): &(AttemptId, MobileNumber, ClockReading)| {
            (number == mobile).then(|| at.clone())
        };
        let presses: Vec<_> = tables.presses.iter().filter_map(of_number).collect();
        Ok(match budget.allowance(&presses, now) {
            OtpAllowance::Left(_) => {
                tables.presses.push((attempt, mobile.clone(), now.clone()));
                OtpGrant::Granted
            }
            OtpAllowance::UsedUp { until } => OtpGrant::BudgetUsedUp { until },
        })
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        self.fails("note_otp")?;
        self.log.add("note_otp");
        let mut tables = self.tables();
        open(&mut tables, attempt)?;
        if !tables.presses.iter().any(|(pressed, _, _)| *pressed == attempt) {
            tables.presses.push((attempt, mobile.clone(), now.clone()));
        }
        Ok(())
    }

    async fn otp_presses(
        &self,
        _mobile: &MobileNumber,
        _newest: u32,
    ) -> Result<Vec<ClockReading>, StoreError> {
        unreachable!("the service asks for permits, not for the ledger")
    }
}

#[async_trait]
impl CodeDelivery for Database {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        _at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        let mut tables = self.tables();
        let Some(row) = tables.attempts.iter_mut().find(|row| row.attempt.state == *state) else {
            return Ok(Delivery::Unknown);
        };
        row.delivered = Some(code.clone());
        Ok(Delivery::Taken(row.attempt.api.clone()))
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.fails("delivered_code")?;
        let tables = self.tables();
        let row = tables.attempts.iter().find(|row| row.attempt.state == *state);
        Ok(row.and_then(|row| row.delivered.clone()))
    }
}

#[async_trait]
impl UpstoxTokenRepository for Database {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        unreachable!("the service looks at one API at a time")
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.fails("newest_generation")?;
        Ok(newest(&self.tables(), api).map(|token| token.generation))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.fails("owner")?;
        let tables = self.tables();
        let mut stored = tables.tokens.iter().map(|new| &new.token);
        let newest = stored.rfind(|token| token.account == *account && token.verified_at.is_some());
        Ok(newest.map(|token| token.user_id.clone()))
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let token = &new.token;
        if self
            .registry
            .get(&token.api)
            .is_some_and(|hot| hot.generation >= token.generation)
        {
            self.log.add("served before it is stored");
        }
        let before = newest(&self.tables(), &token.api).map(|token| token.generation);
        if token.generation != Generation::after(before) {
            return Err(StoreError::Conflict("another token was stored first".into()));
        }
        open(&mut self.tables(), new.attempt)?;
        self.commit("store", audit)?;
        let mut tables = self.tables();
        open(&mut tables, new.attempt)?.end = End::Stored;
        tables.tokens.push(new.clone());
        Ok(())
    }

    async fn record_check(&self, _check: &TokenCheck, _audit: &AuditEntry) -> Result<bool, StoreError> {
        unreachable!("a new token is stored together with its check")
    }

    async fn erase_dead(&self, _now: DateTime<Utc>) -> Result<u64, StoreError> {
        unreachable!("tokens are erased at the end of a run")
    }
}

fn newest<'a>(tables: &'a Tables, api: &ApiName) -> Option<&'a StoredToken> {
    let tokens = tables.tokens.iter().map(|new| &new.token);
    tokens
        .filter(|token| token.api == *api)
        .max_by_key(|token| token.generation)
}

#[async_trait]
impl StepRecorder for Database {
    async fn record(&self, state: StepState) -> Result<(), StoreError> {
        let effect = format!("record {}", state.as_str());
        self.fails(&effect)?;
        self.log.add(effect);
        Ok(())
    }
}

#[async_trait]
impl AuditTrail for Database {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let says_which = entry.kind != AuditKind::TokenLoggedOut;
        assert!(says_which, "it does not say which token: {entry:?}");
        self.commit(entry.kind.code(), entry)
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        assert_eq!(token.expose(), "CANARY-token");
        self.commit(entry.kind.code(), entry)
    }

    async fn keep_checkpoint(&self, _run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        unreachable!("runs end elsewhere")
    }
}
