//! The defects that show only where several machines share a database: the ledger by one machine's clock, and a late answer that is
//! erased without a word.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{NewAttempt, OtpGrant, OtpLedger, SignInAttempts, StoreError, UnfinishedAttempt};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::sign_in::OtpBudget;

use super::{LedgerOfMachine, SilentAttempts};

impl LedgerOfMachine {
    fn dated(&self, now: &ClockReading) -> ClockReading {
        ClockReading {
            at: self.clock.now(),
            ..now.clone()
        }
    }
}

#[async_trait]
impl OtpLedger for LedgerOfMachine {
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError> {
        let now = self.dated(now);
        self.port.request_otp(attempt, mobile, budget, &now).await
    }

    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError> {
        self.port.note_otp(attempt, mobile, &self.dated(now)).await
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
impl SignInAttempts for SilentAttempts {
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        self.port.open_attempt(attempt, audit).await
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
        _: AttemptId,
        _: &RawAnswer,
        _: DateTime<Utc>,
        _: &AuditEntry,
    ) -> Result<(), StoreError> {
        Err(StoreError::Conflict("this attempt waits for no answer".into()))
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
}
