//! One session of an account, whichever way it signs in: what the human and Upstox's pages do there, with the ground truth told.

use vega_domain::account::Account;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::SignInRequest;
use vega_domain::secret::AuthorizationCode;

use crate::here::Here;
use crate::upstox::STRANGER;

pub(super) fn fails<T>(reason: FailureReason) -> Result<T, Failure> {
    Err(Failure::new(reason, "as it happens"))
}

/// What the human does at a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Right,
    Wrong,
    Nothing,
    CloseWindow,
}

/// One session of an account, whichever way it signs in.
pub(super) struct Session {
    pub(super) here: Here,
    pub(super) account: Account,
    pub(super) stranger: bool,
}

/// A run that is broken off closes nothing in good order, and the browser ends with what holds it.
impl Drop for Session {
    fn drop(&mut self) {
        self.is_over();
    }
}

impl Session {
    pub(super) fn digits(&self) -> &str {
        self.account.mobile_number.digits()
    }

    /// How the human deals with a screen, and how long that takes.
    pub(super) async fn human(&self) -> Does {
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
    pub(super) fn request_otp(&self, by: &str) -> bool {
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
    pub(super) fn enter(&self, what: &str, is_right: bool, refused: FailureReason) -> Result<(), Failure> {
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
    pub(super) fn failed(&self, failure: &Failure) {
        // Who was taken over can tell nobody.
        if self.here.is_taken_over() {
            return;
        }
        let (now, run) = (self.here.world.time.truth(), self.here.process.run());
        let mobile = &self.account.mobile_number;
        self.here
            .world
            .truth(|truth| truth.failed(mobile, failure, now, run));
    }

    pub(super) fn issue_code(&self, request: &SignInRequest<'_>) -> AuthorizationCode {
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
    pub(super) fn is_over(&self) {
        let number = self.here.process.number;
        self.here
            .world
            .truth(|truth| truth.sessions.retain(|(holder, _)| *holder != number));
    }

    /// How a sign-in ended, told and checked on every way out.
    pub(super) fn told(
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
