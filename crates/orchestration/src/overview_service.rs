//! Reads how APIs and accounts stand, once for the command line and the server. What is shown of it, and in which shape, is
//! decided there.

use std::sync::Arc;

use vega_domain::accounts::Accounts;
use vega_domain::overview::Overview;
use vega_domain::ports::{Clock, OtpLedger, StoreError};
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::ApiStatus;
use vega_services::{EvidenceService, TokenValidityService, otp_allowance};

use crate::cooldown_manager::CooldownManager;

/// How APIs and accounts stand.
pub struct OverviewService {
    /// The configured ones.
    pub accounts: Accounts,
    /// How the tokens stand.
    pub validity: Arc<TokenValidityService>,
    /// What was kept of failures.
    pub evidence: Arc<EvidenceService>,
    /// Which accounts are closed.
    pub cooldowns: CooldownManager,
    /// The presses of "Get OTP".
    pub otp_ledger: Arc<dyn OtpLedger>,
    /// How many there may be.
    pub otp_budget: OtpBudget,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl OverviewService {
    /// Of every API.
    pub async fn all(&self) -> Result<Overview, StoreError> {
        self.of(self.validity.statuses().await?).await
    }

    /// Of the APIs of these statuses, and of every account.
    pub async fn of(&self, statuses: Vec<ApiStatus>) -> Result<Overview, StoreError> {
        let evidence = self.evidence.of(&statuses).await?;
        let closed = self.cooldowns.closed().await?;
        let now = self.clock.reading();
        let mut allowances = Vec::new();
        for account in self.accounts.iter() {
            let allowance = otp_allowance(&*self.otp_ledger, self.otp_budget, account, &now).await?;
            allowances.push((account.id.clone(), allowance));
        }
        Ok(Overview {
            configured: self.accounts.apis().count(),
            statuses,
            evidence,
            closed,
            allowances,
            otp_budget: self.otp_budget.presses,
            now,
        })
    }
}
