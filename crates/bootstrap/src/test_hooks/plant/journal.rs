//! The journal of sign-ins with writes that are dropped: it says that they are on disk.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{Delivery, NewAttempt, OtpGrant, SignInJournal, StoreError, UnfinishedAttempt};
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::OtpBudget;

use super::{Plant, Planted};

#[async_trait]
impl SignInJournal for Planted<dyn SignInJournal> {
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        self.port.open_attempt(attempt, audit).await
    }

    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        if self.plant == Plant::DropOtpRecord {
            return Ok(OtpGrant::Granted);
        }
        self.port.request_otp(attempt, mobile, budget, now).await
    }

    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        self.port.deliver_code(state, code, at).await
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        self.port.delivered_code(state).await
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        self.port.note_otp(attempt, mobile, now).await
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.port.seal_code(attempt, code, at, audit).await
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        if self.plant == Plant::DropJournalWrite {
            return Ok(());
        }
        self.port.seal_answer(attempt, answer, at, audit).await
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.port.close(attempt, failure, at, audit).await
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        self.port.unfinished().await
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.port.unsaved_failure(run, api).await
    }

    async fn otp_presses(&self, mobile: &MobileNumber, newest: u32) -> Result<Vec<ClockReading>, StoreError> {
        self.port.otp_presses(mobile, newest).await
    }
}
