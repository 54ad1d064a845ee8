//! Accounts, their apps, their locks and the settings of the simulated human.

use serde::{Deserialize, Serialize};

use crate::seed::{SeedAccount, SeedApp};

/// Wrong OTPs, or wrong PINs, in a row that lock an account.
const ATTEMPTS: u32 = 5;

/// A customer and what the broker knows of them.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) seed: SeedAccount,
    pub(crate) human: Human,
    pub(crate) session_mode: SessionMode,
    pub(crate) standing: Standing,
}

/// What a second authorize in the same browser session asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionMode {
    /// The PIN only.
    Pin,
    /// Nothing: the redirect comes at once.
    None,
    /// The whole login again.
    Otp,
}

/// The person in the window, played by the page's own script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the control path's JSON"
)]
pub(crate) struct Human {
    pub(crate) enabled: bool,
    /// Pause before each step.
    pub(crate) delay_ms: u64,
    /// Also types the mobile number and presses Get OTP.
    pub(crate) also_mobile: bool,
    /// Mistypes the next OTP, once; the switch falls back by itself.
    pub(crate) wrong_otp: bool,
    /// Mistypes the next PIN, once; the switch falls back by itself.
    pub(crate) wrong_pin: bool,
    /// Leaves the desk after having mistyped, and so corrects nothing.
    pub(crate) gives_up: bool,
}

/// Whether the account may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// Wrong entries in a row so far.
    Open { wrong_otps: u32, wrong_pins: u32 },
    /// Blocked until somebody unlocks it.
    Locked,
}

/// Which of the two secrets was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Otp,
    Pin,
}

/// Where an app lives: indices into the world's accounts and that account's apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AppRef {
    pub(crate) account: usize,
    pub(crate) app: usize,
}

impl Standing {
    pub(crate) const FRESH: Standing = Standing::Open {
        wrong_otps: 0,
        wrong_pins: 0,
    };

    /// Notes a wrong entry and tells how many attempts are left; none left means locked.
    pub(crate) fn refuse(&mut self, entry: Entry) -> u32 {
        let Standing::Open {
            wrong_otps,
            wrong_pins,
        } = self
        else {
            return 0;
        };
        let wrong = match entry {
            Entry::Otp => wrong_otps,
            Entry::Pin => wrong_pins,
        };
        *wrong += 1;
        let left = ATTEMPTS.saturating_sub(*wrong);
        if left == 0 {
            *self = Standing::Locked;
        }
        left
    }

    /// A right entry forgives the wrong ones of its kind.
    pub(crate) fn accept(&mut self, entry: Entry) {
        if let Standing::Open {
            wrong_otps,
            wrong_pins,
        } = self
        {
            match entry {
                Entry::Otp => *wrong_otps = 0,
                Entry::Pin => *wrong_pins = 0,
            }
        }
    }
}

impl Account {
    pub(crate) fn of(seed: SeedAccount) -> Account {
        Account {
            seed,
            human: Human::default(),
            session_mode: SessionMode::Pin,
            standing: Standing::FRESH,
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.standing == Standing::Locked
    }
}

/// Finds the app with this client id.
pub(crate) fn find_app(accounts: &[Account], client_id: &str) -> Option<AppRef> {
    find(accounts, |app| app.client_id == client_id)
}

/// Finds the app of this name.
pub(crate) fn find_app_by_name(accounts: &[Account], name: &str) -> Option<AppRef> {
    find(accounts, |app| app.name == name)
}

fn find(accounts: &[Account], is_it: impl Fn(&SeedApp) -> bool) -> Option<AppRef> {
    accounts.iter().enumerate().find_map(|(account, holder)| {
        let app = holder.seed.apps.iter().position(&is_it)?;
        Some(AppRef { account, app })
    })
}

/// The app behind a reference.
pub(crate) fn app(accounts: &[Account], at: AppRef) -> &SeedApp {
    &accounts[at.account].seed.apps[at.app]
}
