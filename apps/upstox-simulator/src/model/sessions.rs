//! Browser sessions at the broker: the anonymous cookie that tells browsers apart, the login cookie set after a
//! PIN, and the list of sign-ins that are open at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::random;

/// After this long a sign-in nobody finished counts as abandoned.
const ABANDONED_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How long a login cookie spares the OTP.
const LOGIN_LASTS: TimeDelta = TimeDelta::hours(24);

/// All browsers seen and what they may skip.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    browsers: HashSet<String>,
    logins: HashMap<String, Login>,
    open: Vec<OpenSignIn>,
}

#[derive(Debug)]
struct Login {
    account: usize,
    at: DateTime<Utc>,
}

#[derive(Debug)]
struct OpenSignIn {
    transaction: String,
    browser: String,
    at: DateTime<Utc>,
}

impl Sessions {
    /// The browser behind a cookie, or a new one; `true` when it was not seen before.
    pub(crate) fn browser(&mut self, cookie: Option<&str>) -> (String, bool) {
        match cookie {
            Some(known) if self.browsers.contains(known) => (known.to_owned(), false),
            _ => {
                let fresh = random::identifier();
                self.browsers.insert(fresh.clone());
                (fresh, true)
            }
        }
    }

    /// Remembers that this browser holds a login of `account`; the answer is the cookie's value.
    pub(crate) fn log_in(&mut self, account: usize, now: DateTime<Utc>) -> String {
        let cookie = random::identifier();
        self.logins.insert(cookie.clone(), Login { account, at: now });
        cookie
    }

    /// The account a login cookie belongs to, while it lasts.
    pub(crate) fn account(&self, cookie: Option<&str>, now: DateTime<Utc>) -> Option<usize> {
        let login = self.logins.get(cookie?)?;
        (now < login.at + LOGIN_LASTS).then_some(login.account)
    }

    /// Forgets every login of an account, as "log out all sessions" does.
    pub(crate) fn forget(&mut self, account: usize) {
        self.logins.retain(|_, login| login.account != account);
    }

    /// Opens a sign-in and tells how many are open now. An earlier one of the same browser is thereby abandoned.
    pub(crate) fn open_sign_in(&mut self, transaction: &str, browser: &str, now: DateTime<Utc>) -> usize {
        self.open
            .retain(|other| other.browser != browser && now - other.at < ABANDONED_AFTER);
        self.open.push(OpenSignIn {
            transaction: transaction.to_owned(),
            browser: browser.to_owned(),
            at: now,
        });
        self.open.len()
    }

    pub(crate) fn close_sign_in(&mut self, transaction: &str) {
        self.open.retain(|other| other.transaction != transaction);
    }

    pub(crate) fn forget_sign_ins(&mut self) {
        self.open.clear();
    }

    pub(crate) fn sign_ins_open(&self) -> usize {
        self.open.len()
    }
}
