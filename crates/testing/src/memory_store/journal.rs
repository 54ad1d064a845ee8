//! The journal of sign-ins with the ledger of OTP presses.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{
    CodeDelivery, Delivery, LeftAnswer, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError,
    UnfinishedAttempt,
};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::{AttemptState, OtpAllowance, OtpBudget};

use super::audit::{Subject, about};
use super::store::{Done, MemoryStore, conflict};
use super::tables::{AttemptRow, End, KeptAnswer, PressRow, Tables};

impl AttemptRow {
    /// An entry that the journal writes by itself.
    fn entry(&self, at: DateTime<Utc>, kind: AuditKind, detail: &str) -> AuditEntry {
        AuditEntry::new(at, kind, detail)
            .about(&self.new.account, &self.new.api)
            .in_run(self.new.run)
    }
}

impl Tables {
    pub(super) fn attempt(&mut self, id: AttemptId) -> Result<&mut AttemptRow, StoreError> {
        let found = self.attempts.iter_mut().find(|row| row.new.id == id);
        found.ok_or_else(|| StoreError::Conflict("this sign-in attempt does not exist".into()))
    }

    /// Whether Get OTP was pressed in this attempt.
    pub fn is_pressed(&self, id: AttemptId) -> bool {
        self.presses.iter().any(|press| press.attempt == id)
    }

    fn press(&mut self, attempt: AttemptId, mobile: &MobileNumber, at: &ClockReading) {
        self.presses.push(PressRow {
            attempt,
            mobile: mobile.clone(),
            at: at.clone(),
        });
    }

    fn newest_presses(&self, mobile: &MobileNumber, newest: u32) -> Vec<ClockReading> {
        let of_number = self.presses.iter().rev().filter(|press| press.mobile == *mobile);
        let newest = of_number.take(usize::try_from(newest).unwrap_or(usize::MAX));
        let mut presses: Vec<ClockReading> = newest.map(|press| press.at.clone()).collect();
        presses.reverse();
        presses
    }

    /// Whether somebody cleared up who did not know that there is an answer, and no later attempt of the API began.
    pub(super) fn is_unknown_and_newest(&self, attempt: AttemptId) -> bool {
        let Some(row) = self.attempts.iter().find(|row| row.new.id == attempt) else {
            return false;
        };
        let mut of_api = self
            .attempts
            .iter()
            .rev()
            .filter(|other| other.new.api == row.new.api);
        let is_newest = of_api.next().is_some_and(|newest| newest.new.id == attempt);
        is_newest && row.end() == End::Closed(FailureReason::OutcomeUnknown)
    }

    pub(super) fn seal_answer(
        &mut self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<Done<()>, StoreError> {
        let is_late_and_welcome = self.is_unknown_and_newest(attempt);
        let row = self.attempt(attempt)?;
        if row.state != AttemptState::CodeSealed && !is_late_and_welcome {
            return conflict("this attempt waits for no answer");
        }
        (row.ended_at, row.failure) = (None, None);
        row.state = AttemptState::Answered;
        row.answer = LeftAnswer::Sealed(answer.clone());
        row.answered_at = Some(at);
        row.code = None;
        Ok(Done::with((), &about(audit, &Subject::Answer(answer))))
    }

    fn by_state(&self, state: &OAuthState) -> Option<&AttemptRow> {
        // The newest first: it is nearly always the one, and each comparison takes its time.
        self.attempts.iter().rev().find(|row| row.new.state == *state)
    }

    fn unfinished(&self) -> Vec<UnfinishedAttempt> {
        let open = self.attempts.iter().filter(|row| row.is_open());
        open.map(|row| UnfinishedAttempt {
            id: row.new.id,
            run: row.new.run,
            account: row.new.account.clone(),
            api: row.new.api.clone(),
            client_id: row.new.client_id.clone(),
            generation: row.new.generation,
            opened_at: row.new.opened_at,
            otp_pressed: self.is_pressed(row.new.id),
            delivered: row.code.clone().filter(|_| row.state == AttemptState::Opened),
            exchange_sent_at: row.sent_at,
            answer: row.answer.clone(),
        })
        .collect()
    }
}

impl MemoryStore {
    /// How an effect on this attempt is called.
    fn effect(&self, what: &str, id: AttemptId) -> String {
        let api = self.api_of(id);
        format!("{what} {}", api.as_ref().map_or("?", ApiName::as_str))
    }

    fn api_of(&self, id: AttemptId) -> Option<ApiName> {
        let tables = self.tables();
        let row = tables.attempts.iter().find(|row| row.new.id == id);
        row.map(|row| row.new.api.clone())
    }
}

#[async_trait]
impl SignInAttempts for MemoryStore {
    async fn open_attempt(&self, new: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("open_attempt {}", new.api), |tables| {
            tables.attempts.push(AttemptRow {
                new: new.clone(),
                state: AttemptState::Opened,
                code: None,
                sent_at: None,
                answer: LeftAnswer::None,
                answered_at: None,
                ended_at: None,
                failure: None,
            });
            Ok(Done::with((), audit))
        })
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.commit(&self.effect("seal_code", attempt), |tables| {
            let row = tables.attempt(attempt)?;
            if row.state != AttemptState::Opened {
                return conflict("this attempt already intends an exchange");
            }
            row.state = AttemptState::CodeSealed;
            row.code = Some(code.clone());
            row.sent_at = Some(at);
            Ok(Done::with((), &about(audit, &Subject::Code(code))))
        })
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let taken = self.commit(&self.effect("seal_answer", attempt), |tables| {
            tables.seal_answer(attempt, answer, at, audit)
        });
        let Some(api) = self.api_of(attempt) else {
            return taken;
        };
        let taken_over = match &taken {
            Err(StoreError::TakenOver(holder)) => Some(holder.clone()),
            _ => None,
        };
        self.or_kept(taken, &api, |spool| {
            let kept = KeptAnswer {
                attempt,
                answer: answer.clone(),
                received_at: at,
                audit: audit.clone(),
            };
            spool.answers.insert(api.clone(), kept);
        })?;
        // Kept, and nothing more is to be made of it here.
        taken_over.map_or(Ok(()), |holder| Err(StoreError::TakenOver(holder)))
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let what = format!("{} {}", self.effect("close_attempt", attempt), failure.reason);
        self.commit(&what, |tables| {
            let open = tables.attempt(attempt).ok().filter(|row| row.is_open());
            let Some(row) = open else {
                return Ok(Done::nothing(()));
            };
            row.state = AttemptState::Closed;
            row.ended_at = Some(at);
            row.failure = Some(failure.clone());
            row.code = None;
            if failure.reason != FailureReason::NeedsReview {
                row.answer = LeftAnswer::None;
            }
            Ok(Done::with((), audit))
        })
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        self.look("unfinished", Tables::unfinished)
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.look("unsaved_failure", |tables| {
            let of_run = tables.runs.iter().find(|row| row.record.id == run)?;
            let saved_at = *of_run.saved_at.get(api)?;
            let attempts = tables.attempts.iter();
            let closed = attempts
                .filter(|row| row.new.run == run && row.new.api == *api && row.state == AttemptState::Closed)
                .filter(|row| row.ended_at.is_some_and(|ended| ended >= saved_at));
            closed
                .max_by_key(|row| row.new.id)
                .and_then(|row| row.failure.clone())
        })
    }
}

#[async_trait]
impl OtpLedger for MemoryStore {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        self.commit(&self.effect("request_otp", attempt), |tables| {
            if tables.is_pressed(attempt) {
                return Ok(Done::nothing(OtpGrant::PressedBefore));
            }
            let row = tables.attempt(attempt)?.clone();
            let newest = usize::try_from(budget.presses).unwrap_or(usize::MAX);
            let presses = tables.presses.iter_mut().rev();
            let of_number = presses.filter(|press| press.mobile == *mobile);
            for press in of_number.take(newest).filter(|press| press.at.is_misdated(now)) {
                press.at = now.clone();
            }
            let presses = tables.newest_presses(mobile, budget.presses);
            Ok(match budget.allowance(&presses, now) {
                OtpAllowance::Left(left) => {
                    tables.press(attempt, mobile, now);
                    let words = format!("{} left in this window", left - 1);
                    let entry = row.entry(now.at, AuditKind::OtpRequested, &words);
                    Done::with(OtpGrant::Granted, &entry)
                }
                OtpAllowance::UsedUp { until } => {
                    let entry = row.entry(now.at, AuditKind::OtpWithheld, "none left");
                    Done::with(OtpGrant::BudgetUsedUp { until }, &entry)
                }
            })
        })
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        self.commit(&self.effect("note_otp", attempt), |tables| {
            let row = tables.attempt(attempt)?.clone();
            if tables.is_pressed(attempt) {
                return Ok(Done::nothing(()));
            }
            tables.press(attempt, mobile, now);
            let entry = row.entry(now.at, AuditKind::OtpRequestedInWindow, "");
            Ok(Done::with((), &entry))
        })
    }

    async fn otp_presses(
        &self,
        mobiles: &[MobileNumber],
        newest: u32,
    ) -> Result<Vec<Vec<ClockReading>>, StoreError> {
        self.look("otp_presses", |tables| {
            let of = mobiles.iter();
            of.map(|mobile| tables.newest_presses(mobile, newest)).collect()
        })
    }
}

#[async_trait]
impl CodeDelivery for MemoryStore {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        self.commit("deliver_code", |tables| {
            let Some(row) = tables.by_state(state).cloned() else {
                return Ok(Done::nothing(Delivery::Unknown));
            };
            let api = row.new.api.clone();
            if row.state == AttemptState::Closed {
                return Ok(Done::nothing(Delivery::TooLate(api)));
            }
            if row.state != AttemptState::Opened || row.code.is_some() {
                return Ok(Done::nothing(Delivery::CameBefore(api)));
            }
            tables.attempt(row.new.id)?.code = Some(code.clone());
            let entry = row.entry(at, AuditKind::CodeReceived, "");
            Ok(Done::with(
                Delivery::Taken(api),
                &about(&entry, &Subject::Code(code)),
            ))
        })
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.look("delivered_code", |tables| {
            let row = tables
                .by_state(state)
                .filter(|row| row.state == AttemptState::Opened);
            row.and_then(|row| row.code.clone())
        })
    }
}
