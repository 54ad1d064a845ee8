//! One attempt's identity, its secret `state`, and the permit that puts an OTP press on record: its own before it is
//! made, the human's once it is seen.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::in_ist;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AttemptId, Generation, MobileNumber, RunId};
use vega_domain::ports::{Clock, OtpGrant, OtpLedger, OtpPermit};
use vega_domain::secret::OAuthState;
use vega_domain::sign_in::OtpBudget;

/// Who signs in for what.
pub(super) struct Attempt<'a> {
    pub(super) id: AttemptId,
    pub(super) run: RunId,
    pub(super) account: &'a Account,
    pub(super) api: &'a Api,
    pub(super) generation: Generation,
}

impl Attempt<'_> {
    pub(super) fn audit(&self, at: DateTime<Utc>, kind: AuditKind, detail: impl Into<String>) -> AuditEntry {
        AuditEntry::new(at, kind, detail)
            .about(&self.account.id, &self.api.name)
            .in_run(self.run)
    }
}

/// 244 random bits: whoever guesses them could finish somebody else's sign-in.
pub(super) fn random_state() -> OAuthState {
    OAuthState::new(format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    ))
}

/// The OTP ledger as a permit.
pub(super) struct LedgerPermit<'a> {
    ledger: &'a dyn OtpLedger,
    clock: &'a dyn Clock,
    attempt: AttemptId,
    mobile: &'a MobileNumber,
    budget: OtpBudget,
    was_asked: AtomicBool,
}

impl<'a> LedgerPermit<'a> {
    pub(super) fn new(
        ledger: &'a dyn OtpLedger,
        clock: &'a dyn Clock,
        attempt: &Attempt<'a>,
        budget: OtpBudget,
    ) -> Self {
        Self {
            ledger,
            clock,
            attempt: attempt.id,
            mobile: &attempt.account.mobile_number,
            budget,
            was_asked: AtomicBool::new(false),
        }
    }

    /// Whether a press was asked for, or made, in this attempt: it may be on record, whatever came of it.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl OtpPermit for LedgerPermit<'_> {
    async fn before_press(&self) -> Result<(), Failure> {
        self.was_asked.store(true, Ordering::Relaxed);
        let granted = self
            .ledger
            .request_otp(self.attempt, self.mobile, self.budget, &self.clock.reading())
            .await;
        match granted? {
            OtpGrant::Granted => Ok(()),
            OtpGrant::PressedBefore => {
                let words = "Get OTP was pressed in this sign-in already";
                Err(Failure::new(FailureReason::RedirectTimeout, words))
            }
            OtpGrant::BudgetUsedUp { until } => Err(Failure::new(
                FailureReason::OtpBudget,
                format!(
                    "the next press is possible at {} IST",
                    in_ist(until).format("%H:%M:%S")
                ),
            )),
        }
    }

    async fn pressed_in_the_window(&self) -> Result<(), Failure> {
        self.was_asked.store(true, Ordering::Relaxed);
        let now = self.clock.reading();
        Ok(self.ledger.note_otp(self.attempt, self.mobile, &now).await?)
    }
}
