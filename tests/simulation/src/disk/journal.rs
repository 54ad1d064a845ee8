//! The journal of sign-ins with the OTP ledger, and the spool for the one record of it that must not be lost.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{
    CodeDelivery, Delivery, LeftAnswer, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError,
    UnfinishedAttempt,
};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::{AttemptState, OtpAllowance, OtpBudget};

use super::audit::{Subject, about};
use super::{AttemptRow, Done, KeptAnswer, PressRow, Store, Tables};
use crate::ground_truth::UnresolvedOutcome;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

impl Store {
    /// A defect: this write is lost, and nobody is told.
    fn is_lost(&self) -> bool {
        self.here.is_injected(InjectedDefect::DropJournalWrite) && self.here.world.rng.permille(250)
    }

    fn audit(row: &AttemptRow, at: DateTime<Utc>, kind: AuditKind, detail: &str) -> AuditEntry {
        AuditEntry::new(at, kind, detail)
            .about(&row.new.account, &row.new.api)
            .in_run(row.new.run)
    }

    /// What this sign-in brought must not be lost from now on.
    pub(super) fn is_safe(&self, attempt: AttemptId) {
        let world = &self.here.world;
        let state = world.disk.read(|tables| {
            let mut rows = tables.attempts.iter();
            let row = rows.find(|row| row.new.id == attempt)?;
            Some(row.new.state.expose().to_owned())
        });
        world.truth(|truth| truth.safe.extend(state));
    }

    fn api_of(&self, id: AttemptId) -> String {
        let api = self.here.world.disk.read(|tables| {
            let mut rows = tables.attempts.iter();
            rows.find(|row| row.new.id == id)
                .map(|row| row.new.api.to_string())
        });
        api.unwrap_or_default()
    }
}

impl Tables {
    fn press(&mut self, attempt: AttemptId, mobile: &MobileNumber, at: &ClockReading) {
        self.presses.push(PressRow {
            commit: self.commits,
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

    fn by_state(&self, state: &OAuthState) -> Option<&AttemptRow> {
        // The newest first: it is nearly always the one, and each comparison takes its time.
        self.attempts.iter().rev().find(|row| row.new.state == *state)
    }

    fn unfinished(&self, knows_presses: bool) -> Vec<UnfinishedAttempt> {
        let open = self.attempts.iter().filter(|row| row.is_open());
        open.map(|row| UnfinishedAttempt {
            id: row.new.id,
            run: row.new.run,
            account: row.new.account.clone(),
            api: row.new.api.clone(),
            client_id: row.new.client_id.clone(),
            generation: row.new.generation,
            opened_at: row.new.opened_at,
            otp_pressed: knows_presses && self.is_pressed(row.new.id),
            delivered: row.code.clone().filter(|_| row.state == AttemptState::Opened),
            exchange_sent_at: row.sent_at,
            answer: row.answer.clone().map_or(LeftAnswer::None, LeftAnswer::Sealed),
        })
        .collect()
    }
}

#[async_trait]
impl SignInAttempts for Store {
    async fn open_attempt(&self, new: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("attempt for {}", new.api);
        self.commit(&what, &[AuditKind::AttemptOpened], |tables| {
            tables.attempts.push(AttemptRow {
                commit: tables.commits,
                new: new.clone(),
                state: AttemptState::Opened,
                code: None,
                sent_at: None,
                answer: None,
                answered_at: None,
                ended: None,
                failure: None,
            });
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        if self.is_lost() {
            return Ok(());
        }
        let what = format!("exchange intended for {}", self.api_of(attempt));
        let mut audit = audit.clone();
        if self.here.is_injected(InjectedDefect::CodeInAudit) {
            audit.detail.push_str(code.expose());
        }
        self.commit(&what, &[AuditKind::ExchangeIntended], |tables| {
            let row = tables.attempt(attempt)?;
            if row.state != AttemptState::Opened {
                return Err(StoreError::Conflict("this attempt intends an exchange".into()));
            }
            row.state = AttemptState::CodeSealed;
            row.code = Some(code.clone());
            row.sent_at = Some(at);
            // A code that was delivered in the last moment is brought home: nothing has timed out.
            if let Some(account) = self.here.world.account(&row.new.account) {
                let (mobile, run) = (&account.mobile_number, self.here.process.run());
                self.here.world.truth(|truth| truth.is_in_time(mobile, run));
            }
            Ok(Done::with((), &about(&audit, &Subject::Code(code))))
        })
        .await
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let api = self.api_of(attempt);
        let what = format!("answer for {api}");
        let sealed = self
            .commit(&what, &[AuditKind::AnswerReceived], |tables| {
                tables.seal_answer(attempt, answer, at, audit)
            })
            .await;
        let error = match sealed {
            Err(error @ StoreError::Failed { .. }) => error,
            Ok(()) => {
                self.is_safe(attempt);
                return Ok(());
            }
            refused => return refused,
        };
        let Ok(api) = ApiName::new(api) else {
            return Err(error);
        };
        if !self.spool_takes(&what) {
            return Err(error);
        }
        let kept = KeptAnswer {
            attempt,
            answer: answer.clone(),
            received_at: at,
            audit: audit.clone(),
        };
        locked(&self.here.world.disk.spool).answers.insert(api, kept);
        self.is_safe(attempt);
        self.here.point().await;
        Ok(())
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let what = format!("attempt for {} closed: {}", self.api_of(attempt), failure.reason);
        let world = &self.here.world;
        world.check_text(&failure.detail);
        self.commit(&what, &[AuditKind::AttemptClosed], |tables| {
            let ended = tables.ended(at);
            let Ok(row) = tables.attempt(attempt) else {
                return Ok(Done::nothing(()));
            };
            if !row.is_open() {
                return Ok(Done::nothing(()));
            }
            row.state = AttemptState::Closed;
            row.ended = Some(ended);
            row.failure = Some(failure.clone());
            row.code = None;
            if failure.reason != FailureReason::NeedsReview {
                row.answer = None;
            }
            let (api, account) = (row.new.api.clone(), row.new.account.clone());
            let now = self.now();
            world.truth(|truth| {
                let is_cut_off = matches!(
                    failure.reason,
                    FailureReason::Interrupted | FailureReason::InterruptedPastPress
                );
                if !is_cut_off {
                    truth.settled(&api);
                }
                if failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain {
                    let outcome = UnresolvedOutcome {
                        stored: now,
                        reason: failure.reason,
                        attempt: Some(attempt),
                    };
                    truth.unresolved.insert(api, outcome);
                }
                if let Some(account) = world.account(&account) {
                    truth.is_written(&account.mobile_number, failure.reason);
                }
            });
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let knows_presses = !self.here.is_injected(InjectedDefect::ForgetPress);
        self.look(|tables| tables.unfinished(knows_presses)).await
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.look(|tables| {
            let of_run = tables.runs.iter().find(|row| row.record.id == run)?;
            let updated = *of_run.updated.get(api)?;
            let closed = tables
                .attempts
                .iter()
                .filter(|row| row.new.run == run && row.new.api == *api && row.state == AttemptState::Closed)
                .filter(|row| row.ended.is_some_and(|ended| ended.at >= updated.at));
            closed
                .max_by_key(|row| row.new.id)
                .and_then(|row| row.failure.clone())
        })
        .await
    }
}

#[async_trait]
impl OtpLedger for Store {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        if self.is_lost() {
            return Ok(OtpGrant::Granted);
        }
        let what = format!("OTP press for {}", self.api_of(attempt));
        let kinds = [AuditKind::OtpRequested, AuditKind::OtpWithheld];
        self.commit(&what, &kinds, |tables| {
            if tables.is_pressed(attempt) {
                return Ok(Done::nothing(OtpGrant::PressedBefore));
            }
            let row = tables.attempt(attempt)?.clone();
            let newest = usize::try_from(budget.presses).unwrap_or(usize::MAX);
            let of_number = tables
                .presses
                .iter_mut()
                .rev()
                .filter(|press| press.mobile == *mobile);
            for press in of_number.take(newest).filter(|press| press.at.is_misdated(now)) {
                press.at = now.clone();
            }
            let presses = tables.newest_presses(mobile, budget.presses);
            Ok(match budget.allowance(&presses, now) {
                OtpAllowance::Left(left) => {
                    tables.press(attempt, mobile, now);
                    let words = format!("{} left in this window", left - 1);
                    let entry = Self::audit(&row, now.at, AuditKind::OtpRequested, &words);
                    Done::with(OtpGrant::Granted, &entry)
                }
                OtpAllowance::UsedUp { until } => {
                    let entry = Self::audit(&row, now.at, AuditKind::OtpWithheld, "none left");
                    Done::with(OtpGrant::BudgetUsedUp { until }, &entry)
                }
            })
        })
        .await
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        let what = format!("OTP press by hand for {}", self.api_of(attempt));
        self.commit(&what, &[AuditKind::OtpRequestedInWindow], |tables| {
            let row = tables.attempt(attempt)?.clone();
            if tables.is_pressed(attempt) {
                return Ok(Done::nothing(()));
            }
            tables.press(attempt, mobile, now);
            let pressed_at = self.here.world.time.truth();
            self.here.world.truth(|truth| truth.pressed(mobile, pressed_at));
            let entry = Self::audit(&row, now.at, AuditKind::OtpRequestedInWindow, "");
            Ok(Done::with((), &entry))
        })
        .await
    }

    async fn otp_presses(&self, mobile: &MobileNumber, newest: u32) -> Result<Vec<ClockReading>, StoreError> {
        self.look(|tables| tables.newest_presses(mobile, newest)).await
    }
}

#[async_trait]
impl CodeDelivery for Store {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        self.commit("a code that came back", &[AuditKind::CodeReceived], |tables| {
            let Some(row) = tables.by_state(state).cloned() else {
                return Ok(Done::nothing(Delivery::Unknown));
            };
            if row.state != AttemptState::Opened || row.code.is_some() {
                return Ok(Done::nothing(if row.state == AttemptState::Closed {
                    Delivery::TooLate(row.new.api)
                } else {
                    Delivery::CameBefore(row.new.api)
                }));
            }
            tables.attempt(row.new.id)?.code = Some(code.clone());
            let entry = about(
                &Self::audit(&row, at, AuditKind::CodeReceived, ""),
                &Subject::Code(code),
            );
            Ok(Done::with(Delivery::Taken(row.new.api), &entry))
        })
        .await
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.look(|tables| {
            let row = tables
                .by_state(state)
                .filter(|row| row.state == AttemptState::Opened);
            row.and_then(|row| row.code.clone())
        })
        .await
    }
}
