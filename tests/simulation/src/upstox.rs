//! Upstox itself: logins with their OTP limit, codes that are good once, tokens of which an app has one, dead at 03:30
//! IST. It knows the truth about every token, and tells it to the rules; programs reach it by `upstox::endpoints`, people
//! by the sign-ins.

mod endpoints;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::account::Account;
use vega_domain::expiry;

use crate::locked::locked;

pub(crate) use endpoints::Endpoints;

/// Upstox refuses more OTP requests for one number than so many in so long.
const OTP_LIMIT: usize = 5;
const OTP_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// Wrong entries in a row after which a login is locked.
const WRONG_ENTRIES: u32 = 5;
const CODE_LIVES: TimeDelta = TimeDelta::minutes(2);

/// One person's login.
#[derive(Default)]
pub(crate) struct Login {
    pub(crate) user: String,
    otp_requests: Vec<DateTime<Utc>>,
    wrong_entries: u32,
    pub(crate) is_dormant: bool,
}

impl Login {
    pub(crate) fn is_locked(&self) -> bool {
        self.wrong_entries >= WRONG_ENTRIES
    }

    /// "Get OTP" is pressed, by whomever. Whether an OTP is sent.
    pub(crate) fn request_otp(&mut self, now: DateTime<Utc>) -> bool {
        self.otp_requests.retain(|at| now - *at < OTP_WINDOW);
        if self.otp_requests.len() >= OTP_LIMIT {
            return false;
        }
        self.otp_requests.push(now);
        true
    }

    pub(crate) fn entered(&mut self, is_right: bool) {
        self.wrong_entries = if is_right { 0 } else { self.wrong_entries + 1 };
    }

    /// The person has mended it in Upstox's app.
    pub(crate) fn is_mended(&mut self) {
        self.wrong_entries = 0;
        self.is_dormant = false;
    }
}

/// One authorization code.
pub(crate) struct Code {
    text: String,
    client: String,
    user: String,
    /// Of the sign-in that it was issued to.
    pub(crate) state: String,
    issued_at: DateTime<Utc>,
    posts: u32,
    is_spent: bool,
}

/// One token that was issued.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) text: String,
    pub(crate) client: String,
    pub(crate) user: String,
    pub(crate) state: String,
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) dies_at: DateTime<Utc>,
    is_killed: bool,
    /// Whether Vega ended it itself.
    pub(crate) is_logged_out: bool,
    /// Whether a profile call was answered with its owner.
    pub(crate) is_confirmed: bool,
}

impl Issued {
    pub(crate) fn is_alive(&self, now: DateTime<Utc>) -> bool {
        !self.is_killed && now < self.dies_at
    }
}

/// An app's trouble of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppTrouble {
    Rejected,
    Inactive,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) logins: BTreeMap<String, Login>,
    pub(crate) troubles: BTreeMap<String, AppTrouble>,
    codes: Vec<Code>,
    pub(crate) tokens: Vec<Issued>,
    serial: u32,
}

impl Books {
    /// A code for the person who signed in.
    pub(crate) fn issue_code(&mut self, client: &str, user: &str, state: &str, now: DateTime<Utc>) -> String {
        self.serial += 1;
        let text = format!("CANARY-code-{}", self.serial);
        self.codes.push(Code {
            text: text.clone(),
            client: client.to_owned(),
            user: user.to_owned(),
            state: state.to_owned(),
            issued_at: now,
            posts: 0,
            is_spent: false,
        });
        text
    }

    /// How often this code has arrived by now.
    fn arrives(&mut self, code: &str) -> u32 {
        let found = self.codes.iter_mut().find(|known| known.text == code);
        found.map_or(1, |code| {
            code.posts += 1;
            code.posts
        })
    }

    /// Code in, token out: once, for its own app, and soon. The app's token from before is dead then.
    fn exchange(&mut self, client: &str, code: &str, now: DateTime<Utc>) -> Option<Issued> {
        let code = self
            .codes
            .iter_mut()
            .find(|known| known.text == code && known.client == client)?;
        if std::mem::replace(&mut code.is_spent, true) || now - code.issued_at > CODE_LIVES {
            return None;
        }
        let (user, state) = (code.user.clone(), code.state.clone());
        self.kill(client);
        self.serial += 1;
        let issued = Issued {
            text: format!("CANARY-token-{}", self.serial),
            client: client.to_owned(),
            user,
            state,
            made_at: now,
            dies_at: expiry::valid_until(now),
            is_killed: false,
            is_logged_out: false,
            is_confirmed: false,
        };
        self.tokens.push(issued.clone());
        Some(issued)
    }

    /// The app's token dies: a new one was made, here or in Upstox's console.
    pub(crate) fn kill(&mut self, client: &str) {
        for token in self.tokens.iter_mut().filter(|token| token.client == client) {
            token.is_killed = true;
        }
    }

    pub(crate) fn kill_all(&mut self) {
        for token in &mut self.tokens {
            token.is_killed = true;
        }
    }

    pub(crate) fn token(&self, text: &str) -> Option<&Issued> {
        self.tokens.iter().find(|token| token.text == text)
    }

    fn token_mut(&mut self, text: &str) -> Option<&mut Issued> {
        self.tokens.iter_mut().find(|token| token.text == text)
    }

    pub(crate) fn login(&mut self, digits: &str) -> &mut Login {
        self.logins.entry(digits.to_owned()).or_default()
    }

    /// What is older than this is of no interest any more.
    pub(crate) fn forget_before(&mut self, at: DateTime<Utc>) {
        self.tokens.retain(|token| token.made_at >= at);
        self.codes.retain(|code| code.issued_at >= at);
    }
}

pub(crate) struct Upstox(Mutex<Books>);

impl Upstox {
    /// That knows these people.
    pub(crate) fn with(accounts: &[Account]) -> Self {
        let mut books = Books::default();
        for (number, account) in (1..).zip(accounts) {
            books.login(account.mobile_number.digits()).user = user_of(number);
        }
        Self(Mutex::new(books))
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        locked(&self.0)
    }
}

/// The person behind the account of this number.
pub(crate) fn user_of(number: u32) -> String {
    format!("AB{number:04}")
}

/// Somebody else.
pub(crate) const STRANGER: &str = "ZZ9999";
