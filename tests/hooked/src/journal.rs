//! The journal of sign-ins with a point around each commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{
    CodeDelivery, Delivery, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError, UnfinishedAttempt,
};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::OtpBudget;

use super::Hooked;

#[async_trait]
impl SignInAttempts for Hooked<dyn SignInAttempts> {
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        let call = self.port.open_attempt(attempt, audit);
        self.around("attempt_opened", call).await
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let call = self.port.seal_code(attempt, code, at, audit);
        self.around("code_sealed", call).await
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let call = self.port.seal_answer(attempt, answer, at, audit);
        self.around("answer_sealed", call).await
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let call = self.port.close(attempt, failure, at, audit);
        self.around("attempt_closed", call).await
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        self.port.unfinished().await
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.port.unsaved_failure(run, api).await
    }
}

#[async_trait]
impl OtpLedger for Hooked<dyn OtpLedger> {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        let call = self.port.request_otp(attempt, mobile, budget, now);
        self.around("otp_recorded", call).await
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        self.port.note_otp(attempt, mobile, now).await
    }

    async fn otp_presses(
        &self,
        mobiles: &[MobileNumber],
        newest: u32,
    ) -> Result<Vec<Vec<ClockReading>>, StoreError> {
        self.port.otp_presses(mobiles, newest).await
    }
}

#[async_trait]
impl CodeDelivery for Hooked<dyn CodeDelivery> {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        let call = self.port.deliver_code(state, code, at);
        self.around("code_delivered", call).await
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.port.delivered_code(state).await
    }
}
