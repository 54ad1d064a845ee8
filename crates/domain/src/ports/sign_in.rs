//! Port: one sign-in, up to the authorization code.

use async_trait::async_trait;

use super::operator::{Presenter, Prompter};
use crate::account::{Account, Api};
use crate::failure::Failure;
use crate::secret::{AuthorizationCode, OAuthState};

/// Asked before "Get OTP" is pressed, and told when somebody else pressed it: either way the press is put on record.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait OtpPermit: Send + Sync {
    /// Returns Ok when the press is on record and may be made now, else why it may not.
    async fn before_press(&self) -> Result<(), Failure>;

    /// Puts a press on record that somebody else made in the window. It is made already, so this MUST NOT refuse it for
    /// the budget; later presses find it there.
    async fn pressed_in_the_window(&self) -> Result<(), Failure>;
}

/// What one sign-in needs.
#[derive(Clone, Copy)]
pub struct SignInRequest<'a> {
    /// Who signs in.
    pub account: &'a Account,
    /// For which app.
    pub api: &'a Api,
    /// Goes out with the authorize request and must come back with the redirect.
    pub state: &'a OAuthState,
    /// Asked before the press, told of the human's.
    pub otp_permit: &'a dyn OtpPermit,
    /// Asks the human.
    pub prompter: &'a dyn Prompter,
    /// Shows things to the human.
    pub presenter: &'a dyn Presenter,
}

impl std::fmt::Debug for SignInRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInRequest")
            .field("account", &self.account.id)
            .field("api", &self.api.name)
            .finish_non_exhaustive()
    }
}

/// A way of signing in.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SignIn: Send + Sync {
    /// Opens the one session of an account in a run. Sessions are never shared between accounts.
    async fn open(&self, account: &Account) -> Result<Box<dyn SignInSession>, Failure>;
}

/// One account's session: all its APIs go through it, one after the other.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SignInSession: Send {
    /// Drives one sign-in to an authorization code. MUST press "Get OTP" at most once and only with the permit,
    /// MUST tell the permit when the OTP was asked for without that press, MUST NOT type an OTP or PIN twice, MUST compare `state`, MUST come to an end by itself.
    /// MUST return a failure as soon as it is certain: until then nobody has it on disk. MUST begin anew when it is called
    /// again for the same attempt, with the same `state`: so it is while no OTP was asked for.
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure>;

    /// What the page refused in a sign-in that is broken off while the human could still correct it. MUST be the failure of
    /// that sign-in then: the next one would submit another OTP or PIN without anybody's yes.
    fn refused(&self) -> Option<Failure> {
        None
    }

    /// Keeps what can be known of the last sign-in if it failed, once. Called when the failure and what follows from it
    /// are on disk, for it takes its time. MUST come to an end by itself within seconds, and change no failure.
    async fn keep_evidence(&mut self) {}

    /// Ends the session and everything it started.
    async fn close(self: Box<Self>);
}
