//! Which accounts may not sign in now, why, and how that ends. A stop lasts until the operator's word.

use std::sync::Arc;

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, Next};
use vega_domain::ids::{AccountId, RunId};
use vega_domain::ports::{Clock, CooldownRepository, StoreError};

/// Closes and opens accounts.
#[derive(Clone)]
pub struct CooldownManager {
    repository: Arc<dyn CooldownRepository>,
    clock: Arc<dyn Clock>,
}

impl CooldownManager {
    /// Over durable state.
    pub fn new(repository: Arc<dyn CooldownRepository>, clock: Arc<dyn Clock>) -> Self {
        Self { repository, clock }
    }

    /// The accounts that are closed now.
    pub async fn closed(&self) -> Result<Vec<Cooldown>, StoreError> {
        let now = self.clock.now();
        let mut all = self.repository.load_all().await?;
        all.retain(|cooldown| cooldown.is_closed(now));
        Ok(all)
    }

    /// Whether this account is closed now.
    pub async fn is_closed(&self, account: &AccountId) -> Result<bool, StoreError> {
        Ok(self
            .closed()
            .await?
            .iter()
            .any(|closed| closed.account == *account))
    }

    /// Closes the account if the failure asks for it.
    pub async fn after(&self, failure: &Failure, account: &AccountId, run: RunId) -> Result<(), StoreError> {
        if failure.reason.next() != Next::StopAccount {
            return Ok(());
        }
        let now = self.clock.now();
        let stop = Cooldown {
            account: account.clone(),
            since: now,
            until: None,
            failure: failure.clone(),
        };
        let words = format!("{}: {failure}", failure.reason);
        let audit = AuditEntry::new(now, AuditKind::AccountStopped, words)
            .about_account(account)
            .in_run(run);
        self.repository.close(&stop, &audit).await
    }

    /// Opens an account again. `why` goes into the audit trail. Returns whether it was closed.
    pub async fn open(&self, account: &AccountId, why: &str) -> Result<bool, StoreError> {
        let audit = AuditEntry::new(self.clock.now(), AuditKind::AccountOpened, why).about_account(account);
        self.repository.open(account, &audit).await
    }
}
