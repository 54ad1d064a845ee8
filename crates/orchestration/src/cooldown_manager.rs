//! Which accounts may not sign in now, why, and how that ends. A stop lasts until the operator's word. It belongs to the
//! login, that is to the mobile number, so that giving an account another name opens nothing.

use std::sync::Arc;

use vega_domain::account::Account;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, Next};
use vega_domain::ids::{AccountId, RunId};
use vega_domain::ports::{Clock, CooldownRepository, StoreError};

/// Closes and opens accounts.
#[derive(Clone)]
pub struct CooldownManager {
    accounts: Arc<[Account]>,
    repository: Arc<dyn CooldownRepository>,
    clock: Arc<dyn Clock>,
}

impl CooldownManager {
    /// Over the configured accounts and durable state.
    pub fn new(
        accounts: Arc<[Account]>,
        repository: Arc<dyn CooldownRepository>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            accounts,
            repository,
            clock,
        }
    }

    /// The configured accounts that are closed now, by the names that they have now.
    pub async fn closed(&self) -> Result<Vec<Cooldown>, StoreError> {
        let now = self.clock.now();
        let all = self.repository.load_all().await?;
        let named_as_now = |mut cooldown: Cooldown| {
            let mut accounts = self.accounts.iter();
            let account = accounts.find(|account| account.mobile_number == cooldown.mobile_number)?;
            cooldown.account = account.id.clone();
            Some(cooldown)
        };
        Ok(all
            .into_iter()
            .filter(|cooldown| cooldown.is_closed(now))
            .filter_map(named_as_now)
            .collect())
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
    pub async fn after(&self, failure: &Failure, account: &Account, run: RunId) -> Result<(), StoreError> {
        if failure.reason.next() != Next::StopAccount {
            return Ok(());
        }
        let now = self.clock.now();
        let stop = Cooldown {
            account: account.id.clone(),
            mobile_number: account.mobile_number.clone(),
            since: now,
            until: None,
            failure: failure.clone(),
        };
        let words = format!("{}: {failure}", failure.reason);
        let audit = AuditEntry::new(now, AuditKind::AccountStopped, words)
            .about_account(&account.id)
            .in_run(run);
        self.repository.close(&stop, &audit).await
    }

    /// Ends this cooldown or stop, and no other one that came later. `why` goes into the audit trail.
    pub async fn open(&self, cooldown: &Cooldown, why: &str) -> Result<bool, StoreError> {
        let audit =
            AuditEntry::new(self.clock.now(), AuditKind::AccountOpened, why).about_account(&cooldown.account);
        self.repository.open(cooldown, &audit).await
    }
}
