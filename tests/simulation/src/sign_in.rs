//! The two ways of signing in, as Upstox's pages and the human make them: a window that Vega watches, and a browser of the
//! operator's own.

mod own_browser;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::account::{Account, Route};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{CodeDelivery, SignIn, SignInRequest, SignInSession};
use vega_domain::secret::AuthorizationCode;

use self::own_browser::OwnBrowserSession;
use self::window::WindowSession;
use crate::here::Here;
use crate::rules::Rule;
use crate::upstox::STRANGER;

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

fn fails<T>(reason: FailureReason) -> Result<T, Failure> {
    Err(Failure::new(reason, "as it happens"))
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
        if here
            .world
            .truth(|truth| truth.sessions.iter().any(|(other, _)| *other != number))
        {
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

/// What the human does at a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Right,
    Wrong,
    Nothing,
    CloseWindow,
}

/// One session of an account, whichever way it signs in.
struct Session {
    here: Here,
    account: Account,
    stranger: bool,
}

impl Session {
    fn digits(&self) -> &str {
        self.account.mobile_number.digits()
    }

    /// How the human deals with a screen, and how long that takes.
    async fn human(&self) -> Does {
        let rng = &self.here.world.rng;
        let faults = self.here.world.faults();
        let does = if !faults.human_is_there {
            Does::Nothing
        } else if rng.permille(faults.slips) {
            *rng.pick(&[Does::Wrong, Does::Wrong, Does::Nothing, Does::CloseWindow])
        } else {
            Does::Right
        };
        let takes = match does {
            Does::Nothing => rng.seconds(180..=180),
            _ => rng.seconds(3..=70),
        };
        self.here.rest(takes).await;
        self.here.point().await;
        does
    }

    /// The phone gets an OTP, or Upstox throttles.
    fn request_otp(&self, by: &str) -> bool {
        let now = self.here.world.time.truth();
        let is_sent = self
            .here
            .world
            .upstox
            .books()
            .login(self.digits())
            .request_otp(now);
        let is_sent = is_sent && !self.here.world.rng.permille(self.here.world.faults().storm / 2);
        let outcome = if is_sent {
            "an OTP is sent"
        } else {
            "Upstox throttles"
        };
        self.here.tell(&format!(
            "Get OTP is pressed by {by} for account {}: {outcome}",
            self.account.id
        ));
        is_sent
    }

    /// An OTP or PIN arrives at Upstox.
    fn enter(&self, what: &str, is_right: bool, refused: FailureReason) -> Result<(), Failure> {
        self.here.check_factor(&self.account);
        self.here.tell(&format!(
            "{what} for account {} is {}",
            self.account.id,
            if is_right { "right" } else { "wrong" }
        ));
        let is_locked = {
            let mut books = self.here.world.upstox.books();
            let login = books.login(self.digits());
            login.entered(is_right);
            login.is_locked()
        };
        let reason = match (is_locked, is_right) {
            (true, _) => FailureReason::AccountLocked,
            (false, false) => refused,
            (false, true) => return Ok(()),
        };
        let failure = fails(reason);
        if let Err(failure) = &failure {
            self.failed(failure);
        }
        failure
    }

    /// The ground truth knows of a failure as soon as it is seen.
    fn failed(&self, failure: &Failure) {
        let (now, run) = (self.here.world.time.truth(), self.here.process.run());
        let mobile = &self.account.mobile_number;
        self.here
            .world
            .truth(|truth| truth.failed(mobile, failure, now, run));
    }

    fn issue_code(&self, request: &SignInRequest<'_>) -> AuthorizationCode {
        let now = self.here.world.time.truth();
        let mut books = self.here.world.upstox.books();
        let user = if self.stranger {
            STRANGER.to_owned()
        } else {
            books.login(self.digits()).user.clone()
        };
        let client = request.api.client_id.as_str();
        AuthorizationCode::new(books.issue_code(client, &user, request.state.expose(), now))
    }

    /// Ends the session; the ground truth and the trace know of it.
    fn is_over(&self) {
        let number = self.here.process.number;
        self.here
            .world
            .truth(|truth| truth.sessions.retain(|(holder, _)| *holder != number));
    }

    /// How a sign-in ended, told and checked on every way out.
    fn told(
        &self,
        request: &SignInRequest<'_>,
        ended: Result<AuthorizationCode, Failure>,
    ) -> Result<AuthorizationCode, Failure> {
        match &ended {
            Ok(_) => self
                .here
                .tell(&format!("a code comes back for {}", request.api.name)),
            Err(failure) => {
                self.here.tell(&format!(
                    "the sign-in for {} fails: {}",
                    request.api.name, failure.reason
                ));
                if failure.reason != FailureReason::OtpBudget && !failure.reason.is_of_storage() {
                    self.failed(failure);
                }
            }
        }
        ended
    }
}
