//! The whole memory behind one lock, and the look-ups that need more than one part of it.

use std::collections::HashMap;

use super::{
    accounts::{self, Account, AppRef},
    counters::Counters,
    feeds::Feeds,
    login::Login,
    phone::Phone,
    scenario::{Caller, Kind, Scenarios, Target},
    secrets::Secrets,
    sessions::Sessions,
    vault::Vault,
};
use crate::seed::{Seed, SeedApp};

/// Everything the broker remembers.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) phone: Phone,
    pub(crate) sessions: Sessions,
    pub(crate) logins: HashMap<String, Login>,
    pub(crate) vault: Vault,
    pub(crate) scenarios: Scenarios,
    pub(crate) feeds: Feeds,
    pub(crate) counters: Counters,
    pub(crate) secrets: Secrets,
}

impl World {
    pub(crate) fn of(seed: Seed) -> World {
        World {
            accounts: seed.accounts.into_iter().map(Account::of).collect(),
            phone: Phone::default(),
            sessions: Sessions::default(),
            logins: HashMap::new(),
            vault: Vault::default(),
            scenarios: Scenarios::default(),
            feeds: Feeds::default(),
            counters: Counters::default(),
            secrets: Secrets::default(),
        }
    }

    pub(crate) fn find_app(&self, client_id: &str) -> Option<AppRef> {
        accounts::find_app(&self.accounts, client_id)
    }

    pub(crate) fn app(&self, at: AppRef) -> &SeedApp {
        accounts::app(&self.accounts, at)
    }

    /// Takes the scenarios for a call of `app`; without a known app only those for everybody.
    pub(crate) fn take_scenarios(&mut self, on: Target, app: Option<AppRef>) -> Vec<Kind> {
        let caller = app.map_or_else(Caller::default, |at| {
            let app = self.app(at);
            Caller {
                app: app.name.clone(),
                client_id: app.client_id.clone(),
                account: self.accounts[at.account].seed.name.clone(),
            }
        });
        self.scenarios.take(on, &caller)
    }
}
