//! The journal of sign-ins with the OTP ledger.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{
    Clock, CodeDelivery, Delivery, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError,
    UnfinishedAttempt,
};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::OtpBudget;

use super::{Effect, Store};
use crate::ground_truth::UnresolvedOutcome;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

impl Store {
    /// A defect: this write is lost, and nobody is told.
    fn is_lost(&self) -> bool {
        self.here.is_injected(InjectedDefect::DropJournalWrite) && self.here.world.rng.permille(250)
    }

    /// What this sign-in brought must not be lost from now on.
    pub(super) fn is_safe(&self, attempt: AttemptId) {
        let world = &self.here.world;
        let state = world
            .disk
            .attempt(attempt)
            .map(|new| new.state.expose().to_owned());
        world.truth(|truth| truth.safe.extend(state));
    }

    /// The time of a press as the ledger takes it.
    fn ledgers(&self, now: &ClockReading) -> ClockReading {
        if self.here.is_injected(InjectedDefect::LedgerByMachineClock) {
            return self.here.process.machine.time.reading();
        }
        now.clone()
    }

    fn api_of(&self, id: AttemptId) -> String {
        let attempt = self.here.world.disk.attempt(id);
        attempt.map(|new| new.api.to_string()).unwrap_or_default()
    }

    /// What the rules know of an attempt that is closed from now on.
    fn is_closed(&self, attempt: AttemptId, failure: &Failure) {
        let world = &self.here.world;
        let Some(new) = world.disk.attempt(attempt) else {
            return;
        };
        let now = self.now();
        world.truth(|truth| {
            let is_cut_off = matches!(
                failure.reason,
                FailureReason::Interrupted | FailureReason::InterruptedPastPress
            );
            if !is_cut_off {
                truth.settled(&new.api);
            }
            if failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain {
                let outcome = UnresolvedOutcome {
                    stored: now,
                    reason: failure.reason,
                    attempt: Some(attempt),
                };
                truth.unresolved.insert(new.api.clone(), outcome);
            }
            if let Some(account) = world.account(&new.account) {
                truth.is_written(&account.mobile_number, failure.reason);
            }
        });
    }
}

#[async_trait]
impl SignInAttempts for Store {
    async fn open_attempt(&self, new: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("attempt for {}", new.api);
        let call = self.memory().open_attempt(new, audit);
        self.sign_in(&what, &[AuditKind::AttemptOpened], call, |(), _| ())
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
        let call = self.memory().seal_code(attempt, code, at, &audit);
        self.sign_in(&what, &[AuditKind::ExchangeIntended], call, |(), _| {
            // A code that was delivered in the last moment is brought home: nothing has timed out.
            let world = &self.here.world;
            let new = world.disk.attempt(attempt);
            if let Some(account) = new.and_then(|new| world.account(&new.account)) {
                let (mobile, run) = (&account.mobile_number, self.here.process.run());
                world.truth(|truth| truth.is_in_time(mobile, run));
            }
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
        let what = format!("answer for {}", self.api_of(attempt));
        // Who was taken over is told so, and the answer is kept all the same.
        let call = async {
            match self.memory().seal_answer(attempt, answer, at, audit).await {
                Err(taken_over @ StoreError::TakenOver(_)) => Ok(Some(taken_over)),
                sealed => sealed.map(|()| None),
            }
        };
        let taken_over = self.sign_in(&what, &[AuditKind::AnswerReceived], call, |_, _| {
            self.is_safe(attempt);
        });
        taken_over.await?.map_or(Ok(()), Err)
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let what = format!("attempt for {} closed: {}", self.api_of(attempt), failure.reason);
        self.here.world.check_text(&failure.detail);
        let call = SignInAttempts::close(self.memory(), attempt, failure, at, audit);
        self.sign_in(&what, &[AuditKind::AttemptClosed], call, |(), effect| {
            if effect == Effect::Committed {
                self.is_closed(attempt, failure);
            }
        })
        .await
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let mut unfinished = self.look(self.memory().unfinished()).await?;
        if self.here.is_injected(InjectedDefect::ForgetPress) {
            for attempt in &mut unfinished {
                attempt.otp_pressed = false;
            }
        }
        Ok(unfinished)
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.look(self.memory().unsaved_failure(run, api)).await
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
        let now = self.ledgers(now);
        let call = self.memory().request_otp(attempt, mobile, budget, &now);
        self.sign_in(&what, &kinds, call, |grant, _| {
            if *grant == OtpGrant::Granted {
                let process = &self.here.process;
                *locked(&process.granted_at) = Some(process.machine.time.truth());
            }
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
        let world = &self.here.world;
        let now = self.ledgers(now);
        let call = self.memory().note_otp(attempt, mobile, &now);
        self.sign_in(&what, &[AuditKind::OtpRequestedInWindow], call, |(), effect| {
            if effect == Effect::Committed {
                let pressed_at = world.time.truth();
                world.truth(|truth| truth.pressed(mobile, pressed_at));
            }
        })
        .await
    }

    async fn otp_presses(
        &self,
        mobiles: &[MobileNumber],
        newest: u32,
    ) -> Result<Vec<Vec<ClockReading>>, StoreError> {
        self.look(self.memory().otp_presses(mobiles, newest)).await
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
        let call = self.memory().deliver_code(state, code, at);
        self.commit(
            "a code that came back",
            &[AuditKind::CodeReceived],
            call,
            |_, _| (),
        )
        .await
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.look(self.memory().delivered_code(state)).await
    }
}
