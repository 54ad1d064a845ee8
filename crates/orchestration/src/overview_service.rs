//! Reads how APIs and accounts stand, once for the command line and the server. What is shown of it, and in which shape, is
//! decided there.

use std::sync::Arc;

use vega_domain::accounts::Accounts;
use vega_domain::overview::Overview;
use vega_domain::ports::{Clock, StoreError};
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::ApiStatus;
use vega_services::{EvidenceService, TokenGenerationService, TokenValidityService};

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
    /// What is left of the OTP budget.
    pub generation: Arc<TokenGenerationService>,
    /// All of it.
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
            allowances.push((account.id.clone(), self.generation.otp_allowance(account).await?));
        }
        Ok(Overview {
            statuses,
            evidence,
            closed,
            allowances,
            otp_budget: self.otp_budget.presses,
            now,
        })
    }
}
