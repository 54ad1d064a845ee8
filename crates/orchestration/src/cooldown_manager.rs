//! Which accounts may not sign in now, why, and how that ends. A stop lasts until the operator's word, a cooldown for its
//! length. Both belong to the login, that is to the mobile number, so that giving an account another name opens nothing.

use std::sync::Arc;
use std::time::Duration;

use vega_domain::account::Account;
use vega_domain::accounts::Accounts;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, RecoveryAction};
use vega_domain::ids::{AccountId, RunId};
use vega_domain::ports::{Clock, CooldownRepository, StoreError};

/// Closes and opens accounts.
#[derive(Clone)]
pub struct CooldownManager {
    accounts: Accounts,
    repository: Arc<dyn CooldownRepository>,
    clock: Arc<dyn Clock>,
    length: Duration,
}

impl CooldownManager {
    /// Over the configured accounts and durable state. A cooldown is `length` long.
    pub fn new(
        accounts: Accounts,
        repository: Arc<dyn CooldownRepository>,
        clock: Arc<dyn Clock>,
        length: Duration,
    ) -> Self {
        Self {
            accounts,
            repository,
            clock,
            length,
        }
    }

    /// The configured accounts that are closed now, by the names that they have now.
    pub async fn closed(&self) -> Result<Vec<Cooldown>, StoreError> {
        let now = self.clock.reading();
        let mut closed = Vec::new();
        for mut cooldown in self.repository.load_all().await? {
            let mut accounts = self.accounts.iter();
            let Some(account) = accounts.find(|account| account.mobile_number == cooldown.mobile_number)
            else {
                continue;
            };
            // From now on it lasts as long as it should, and not until the clock has caught up.
            if !cooldown.is_stop() && cooldown.since.is_misdated(&now) {
                self.repository.redate(&cooldown, &now).await?;
                cooldown.since = now.clone();
            }
            if cooldown.is_closed(&now) {
                cooldown.account = account.id.clone();
                closed.push(cooldown);
            }
        }
        Ok(closed)
    }

    /// What closes this account now, if anything does.
    pub async fn of(&self, account: &AccountId) -> Result<Option<Cooldown>, StoreError> {
        let closed = self.closed().await?;
        Ok(closed.into_iter().find(|closed| closed.account == *account))
    }

    /// Closes the account if the failure asks for it.
    pub async fn after(&self, failure: &Failure, account: &Account, run: RunId) -> Result<(), StoreError> {
        let (hold, kind) = match failure.reason.recovery_action() {
            RecoveryAction::StopAccount => (AccountHold::Stop, AuditKind::AccountStopped),
            RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk => {
                let length = self.length;
                (AccountHold::Cooldown { length }, AuditKind::CooldownBegun)
            }
            _ => return Ok(()),
        };
        let now = self.clock.reading();
        let words = format!("{}: {failure}", failure.reason);
        let audit = AuditEntry::new(now.at, kind, words)
            .about_account(&account.id)
            .in_run(run);
        let cooldown = Cooldown {
            account: account.id.clone(),
            mobile_number: account.mobile_number.clone(),
            since: now,
            hold,
            failure: failure.clone(),
        };
        self.repository.close(&cooldown, &audit).await
    }

    /// Ends this cooldown or stop, and no other one that came later. `why` goes into the audit trail.
    pub async fn open(&self, cooldown: &Cooldown, why: &str) -> Result<bool, StoreError> {
        let audit =
            AuditEntry::new(self.clock.now(), AuditKind::AccountOpened, why).about_account(&cooldown.account);
        self.repository.open(cooldown, &audit).await
    }
}
