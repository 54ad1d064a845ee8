//! Authorization codes, access tokens and analytics tokens: a code works once, an access token lives until 03:30 in India, its app's next
//! token or a logout; an analytics token for a year, or until its account's next one.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{access_token, accounts::AppRef};
use crate::{clock::next_token_death, random};

const ANALYTICS_LASTS: TimeDelta = TimeDelta::days(365);
/// How long a code may wait for its exchange.
const CODE_LASTS: TimeDelta = TimeDelta::seconds(120);

/// Everything issued so far.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    codes: HashMap<String, Code>,
    tokens: HashMap<String, Token>,
}

/// What a code was issued for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) app: AppRef,
    /// Whose login it came from; not always the app's own account.
    pub(crate) account: usize,
    pub(crate) redirect_uri: String,
    issued: DateTime<Utc>,
}

#[derive(Debug)]
struct Token {
    app: AppRef,
    account: usize,
    /// How many tokens its app had with it.
    number: usize,
    issued: DateTime<Utc>,
    dies: DateTime<Utc>,
    /// Whether it is an analytics token, which is of no app.
    only_reads: bool,
    state: TokenState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenState {
    /// The newest of its app.
    Newest,
    /// Its app got another one. No call takes it; a feed that was opened with it lives on.
    Replaced,
    /// Nothing lives on it.
    Revoked,
}

/// Whose token was presented.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer {
    pub(crate) app: AppRef,
    pub(crate) account: usize,
    /// The first token of an app is 1, the next one 2.
    pub(crate) number: usize,
    pub(crate) alive: bool,
    /// Whether it is an analytics token: it opens market data, and its app says nothing.
    pub(crate) only_reads: bool,
    /// Whether a feed that was opened with it stays open.
    pub(crate) keeps_feeds: bool,
    pub(crate) age: TimeDelta,
}

impl Bearer {
    /// Whether the broker takes the token where it takes none that is younger.
    pub(crate) fn is_known_after(&self, age: Duration) -> bool {
        self.alive && self.age.to_std().is_ok_and(|is| is >= age)
    }
}

impl Vault {
    pub(crate) fn issue_code(
        &mut self,
        app: AppRef,
        account: usize,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> String {
        let code = random::code();
        let issued = Code {
            app,
            account,
            redirect_uri: redirect_uri.to_owned(),
            issued: now,
        };
        self.codes.insert(code.clone(), issued);
        code
    }

    /// Spends a code, whatever the exchange then says. `None`: never issued, already spent or too old.
    pub(crate) fn spend(&mut self, code: &str, now: DateTime<Utc>) -> Option<Code> {
        self.codes
            .remove(code)
            .filter(|code| now < code.issued + CODE_LASTS)
    }

    /// Issues a token for an app to the account that logged in, and kills the app's earlier one.
    pub(crate) fn issue_token(
        &mut self,
        app: AppRef,
        account: usize,
        user_id: &str,
        now: DateTime<Utc>,
    ) -> String {
        let dies = next_token_death(now);
        self.issue(app, account, user_id, (now, dies), false)
    }

    /// Issues an analytics token to an account, and kills its earlier one.
    pub(crate) fn issue_analytics(&mut self, account: usize, user_id: &str, now: DateTime<Utc>) -> String {
        let app = AppRef { account, app: 0 };
        self.issue(app, account, user_id, (now, now + ANALYTICS_LASTS), true)
    }

    fn issue(
        &mut self,
        app: AppRef,
        account: usize,
        user_id: &str,
        (issued, dies): (DateTime<Utc>, DateTime<Utc>),
        only_reads: bool,
    ) -> String {
        let mut number = 1;
        let earlier = self.tokens.values_mut();
        for token in earlier.filter(|token| token.app == app && token.only_reads == only_reads) {
            number += 1;
            if token.state == TokenState::Newest {
                token.state = TokenState::Replaced;
            }
        }
        let text = access_token::mint(user_id, issued, dies);
        let token = Token {
            app,
            account,
            number,
            issued,
            dies,
            only_reads,
            state: TokenState::Newest,
        };
        self.tokens.insert(text.clone(), token);
        text
    }

    /// Whose token this is, also when it is dead.
    pub(crate) fn bearer(&self, token: &str, now: DateTime<Utc>) -> Option<Bearer> {
        let token = self.tokens.get(token)?;
        let in_time = now < token.dies;
        Some(Bearer {
            app: token.app,
            account: token.account,
            number: token.number,
            only_reads: token.only_reads,
            alive: in_time && token.state == TokenState::Newest,
            keeps_feeds: in_time && token.state != TokenState::Revoked,
            age: now - token.issued,
        })
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.state = TokenState::Revoked;
        }
    }

    /// Kills the tokens of one app.
    pub(crate) fn revoke_app(&mut self, app: AppRef) {
        let of_app = self.tokens.values_mut();
        for token in of_app.filter(|token| token.app == app && !token.only_reads) {
            token.state = TokenState::Revoked;
        }
    }

    /// Kills every token of an account, as a change of its static IP does.
    pub(crate) fn revoke_account(&mut self, account: usize) {
        for token in self.tokens.values_mut().filter(|token| token.account == account) {
            token.state = TokenState::Revoked;
        }
    }
}
