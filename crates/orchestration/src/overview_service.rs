//! Reads how APIs and accounts stand, once for the command line and the server. What is shown of it, and in which shape, is
//! decided there.

use std::sync::Arc;

use vega_domain::accounts::Accounts;
use vega_domain::clock_reading::ClockReading;
use vega_domain::overview::{OtpAllowances, Overview, Statuses};
use vega_domain::ports::{Clock, OtpLedger, StoreError};
use vega_domain::sign_in::OtpBudget;
use vega_services::{EvidenceService, TokenValidityService, otp_allowances};

use crate::cooldown_manager::CooldownManager;

/// How APIs and accounts stand.
pub struct OverviewService {
    /// The accounts of the configuration.
    pub accounts: Accounts,
    /// How the tokens stand.
    pub validity: Arc<TokenValidityService>,
    /// What was kept of failures.
    pub evidence: Arc<EvidenceService>,
    /// Which accounts are closed.
    pub cooldowns: CooldownManager,
    /// The presses of "Get OTP".
    pub otp_ledger: Arc<dyn OtpLedger>,
    /// How many of them there may be in a window.
    pub otp_budget: OtpBudget,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl OverviewService {
    /// Of every API.
    pub async fn all(&self) -> Result<Overview, StoreError> {
        self.of(self.validity.all_statuses().await?).await
    }

    /// Of the APIs of these statuses.
    pub async fn of(&self, Statuses { apis, analytics }: Statuses) -> Result<Overview, StoreError> {
        let evidence = self.evidence.of(&apis).await?;
        let closed = self.cooldowns.closed().await?;
        Ok(Overview {
            configured: self.accounts.apis().count(),
            statuses: apis,
            analytics,
            evidence,
            closed,
            now: self.clock.reading(),
        })
    }

    /// What is left of the OTP budget of every account, then.
    pub async fn allowances(&self, now: &ClockReading) -> Result<OtpAllowances, StoreError> {
        let accounts = self.accounts.iter();
        let allowances = otp_allowances(&*self.otp_ledger, self.otp_budget, accounts.clone(), now).await?;
        let ids = accounts.map(|account| account.id.clone());
        Ok(OtpAllowances {
            of: ids.zip(allowances).collect(),
            budget: self.otp_budget.presses,
        })
    }
}
