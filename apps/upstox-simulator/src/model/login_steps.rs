//! A login's way from the accepted dialog to the redirect: what each screen leads to. What a person types is judged in
//! `login_entry`.

use chrono::{DateTime, Utc};

use super::{
    accounts::SessionMode,
    login::{DialogRequest, Login, NextScreen, Opened, Stage},
    page::PageBehaviour,
    page_options::{BlockAt, Redirect},
    scenario::Target,
    world::World,
};
use crate::random;

impl World {
    /// Opens a login for a dialog whose client id and redirect URI were right.
    pub(crate) fn open_login(&mut self, request: DialogRequest<'_>, now: DateTime<Utc>) -> Opened {
        self.counters.dialogs_opened += 1;
        self.secrets.states.extend(request.state.clone());
        let transaction = random::identifier();
        let open = self.sessions.open_sign_in(&transaction, request.browser, now);
        self.counters.sign_ins_open(open);
        let behaviour = PageBehaviour::of(&self.take_scenarios(Target::Page, Some(request.app)));
        let known = self.sessions.account(request.login_cookie, now);
        let first = match known.map(|account| (account, self.accounts[account].session_mode)) {
            None | Some((_, SessionMode::Otp)) => Stage::Mobile,
            Some((account, SessionMode::Pin | SessionMode::None)) => Stage::Pin { account },
        };
        let login = Login {
            app: request.app,
            redirect_uri: self.app(request.app).redirect_uri.clone(),
            state: request.state,
            browser: request.browser.to_owned(),
            challenge_solved: !behaviour.challenge,
            behaviour,
            first,
            stage: first,
        };
        self.logins.insert(transaction.clone(), login);
        if let Some(account) = known
            && self.accounts[account].session_mode == SessionMode::None
            && !self.accounts[account].is_locked()
            && let NextScreen::Redirect {
                location: Some(location),
            } = self.after_pin(&transaction, account, now)
        {
            return Opened::Through { location };
        }
        Opened::Page { transaction }
    }

    /// Where a right PIN (or a login cookie that is enough) leads.
    pub(crate) fn after_pin(&mut self, transaction: &str, account: usize, now: DateTime<Utc>) -> NextScreen {
        let Some(login) = self.logins.get_mut(transaction) else {
            return NextScreen::Blocked;
        };
        if login.behaviour.block == Some(BlockAt::AfterPin) {
            return NextScreen::Blocked;
        }
        if login.behaviour.consent {
            login.stage = Stage::Consent { account };
            return NextScreen::Consent;
        }
        self.finish(transaction, account, now)
    }

    /// Ends a login: issues the code and builds the address the browser leaves for.
    pub(crate) fn finish(&mut self, transaction: &str, account: usize, now: DateTime<Utc>) -> NextScreen {
        let Some(login) = self.logins.get_mut(transaction) else {
            return NextScreen::Blocked;
        };
        login.stage = Stage::Done;
        let state = match login.behaviour.redirect {
            Redirect::Never => return NextScreen::Redirect { location: None },
            Redirect::Faithful => login.state.clone(),
            Redirect::WithoutState => None,
            Redirect::WrongState => Some("a-state-nobody-sent".to_owned()),
        };
        let (app, redirect_uri, sent) = (login.app, login.redirect_uri.clone(), login.state.clone());
        let code = self.vault.issue_code(app, account, &redirect_uri, now);
        self.secrets.codes.push(code.clone());
        if let Some(sent) = sent {
            self.secrets.state_of_code.insert(code.clone(), sent);
        }
        self.counters.codes_issued += 1;
        self.counters.logins_completed += 1;
        self.sessions.close_sign_in(transaction);
        NextScreen::Redirect {
            location: Some(address(&redirect_uri, &code, state.as_deref())),
        }
    }

    /// What the page of a login shows when it is loaded; a reload of the single page starts over.
    pub(crate) fn load_page(&mut self, transaction: &str) -> Option<NextScreen> {
        let login = self.logins.get_mut(transaction)?;
        if !login.behaviour.has_a_document_per_screen() && login.stage != Stage::Done {
            login.stage = login.first;
        }
        Some(match login.stage {
            Stage::Mobile => NextScreen::Mobile,
            Stage::Otp { account } => NextScreen::Otp {
                masked_mobile: self.masked_mobile(account),
            },
            Stage::Pin { .. } => NextScreen::Pin,
            Stage::Consent { .. } => NextScreen::Consent,
            Stage::Done => return None,
        })
    }

    /// `98****0000`, as the page shows a mobile number.
    pub(crate) fn masked_mobile(&self, account: usize) -> String {
        let mobile = &self.accounts[account].seed.mobile;
        format!("{}****{}", &mobile[..2], &mobile[6..])
    }
}

/// The redirect URI with code and state; one that already has a query keeps it.
fn address(redirect_uri: &str, code: &str, state: Option<&str>) -> String {
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    let mut address = format!("{redirect_uri}{joint}code={code}");
    if let Some(state) = state {
        address.push_str("&state=");
        address.push_str(&percent_encoded(state));
    }
    address
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redirect_keeps_a_query_and_escapes_the_state() {
        assert_eq!(
            address("http://localhost:1/cb", "abc123", Some("a+b &=")),
            "http://localhost:1/cb?code=abc123&state=a%2Bb%20%26%3D"
        );
        assert_eq!(
            address("http://localhost:1/cb?x=1", "abc123", None),
            "http://localhost:1/cb?x=1&code=abc123"
        );
    }
}
