//! The two ways of signing in, as Upstox's pages and the human make them: a window that Vega watches, and a browser of the
//! operator's own.

mod own_browser;
mod session;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::account::{Account, Route};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{CodeDelivery, SignIn, SignInSession};

use self::own_browser::OwnBrowserSession;
use self::session::{Session, fails};
use self::window::WindowSession;
use crate::here::Here;
use crate::rules::Rule;

/// Opens sessions.
pub(crate) struct SignIns {
    here: Here,
    codes: Arc<dyn CodeDelivery>,
}

impl SignIns {
    pub(crate) fn new(here: Here, codes: Arc<dyn CodeDelivery>) -> Self {
        Self { here, codes }
    }
}

#[async_trait]
impl SignIn for SignIns {
    async fn open(&self, account: &Account) -> Result<Box<dyn SignInSession>, Failure> {
        let here = &self.here;
        here.point().await;
        here.rest(here.world.rng.millis(300..=4000)).await;
        let faults = here.world.faults();
        if faults.browser_missing || here.world.rng.permille(faults.storm / 4) {
            here.tell("cannot start a browser");
            return fails(FailureReason::BrowserUnavailable);
        }
        let number = here.process.number;
        if !here.is_taken_over() && here.world.signs_in_beside(number) {
            here.broken(Rule::TwoAtOnce, "opens a browser beside another one");
        }
        here.world
            .truth(|truth| truth.sessions.push((number, account.id.clone())));
        let session = Session {
            here: here.clone(),
            account: account.clone(),
            stranger: is_stranger(here, account),
        };
        Ok(match account.route {
            Route::Webdriver => Box::new(WindowSession::new(session)),
            Route::OwnBrowser => Box::new(OwnBrowserSession::new(session, Arc::clone(&self.codes))),
        })
    }
}

/// Whether somebody else signs in this time, where Vega can know.
fn is_stranger(here: &Here, account: &Account) -> bool {
    let has_owner = here.world.disk.read(|tables| {
        let mut tokens = tables.tokens.iter();
        tokens.any(|row| row.token.account == account.id && row.token.verified_at.is_some())
    });
    let may_be = account.user_id.is_some() || has_owner;
    may_be && here.world.rng.permille(here.world.faults().slips / 4)
}
