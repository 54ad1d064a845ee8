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
    /// the budget; later presses find it there
    /// (`a_press_in_the_window_goes_on_record_beyond_the_budget_and_counts_afterwards`).
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
    /// Drives one sign-in to an authorization code. MUST press "Get OTP" at most once and only with the permit
    /// (`the_usual_way_fills_presses_once_and_offers_each_prompt_once`,
    /// `a_session_puts_one_press_on_record_and_the_budget_may_refuse_it`). MUST tell the permit when the OTP was asked
    /// for without that press (`a_press_in_the_window_is_on_record_also_before_a_refusal`). MUST NOT type an OTP or PIN
    /// twice (`a_second_factor_from_the_prompt_is_submitted_once_when_the_button_opens`,
    /// `a_full_box_that_was_emptied_is_never_asked_for_again`). MUST compare `state`
    /// (`a_redirect_that_is_not_ours_is_refused_and_said`,
    /// `what_belongs_to_no_sign_in_is_refused_explained_and_told_once`). MUST come to an end by itself
    /// (`an_attempt_that_goes_to_and_fro_ends`, `nobody_comes_back_in_time`).
    ///
    /// MUST return a failure as soon as it is certain: until then nobody has it on disk
    /// (`a_throttled_press_ends_at_the_toast`, `the_json_error_page_ends_the_attempt_at_once`). MUST begin anew when it
    /// is called again for the same attempt, with the same `state`: so it is while no OTP was asked for
    /// (`the_same_attempt_can_begin_anew`).
    async fn sign_in<'a>(&mut self, request: SignInRequest<'a>) -> Result<AuthorizationCode, Failure>;

    /// What the page refused in a sign-in that is broken off while the human could still correct it. MUST be the
    /// failure of that sign-in then: the next one would submit another OTP or PIN without anybody's yes
    /// (`a_cancel_after_a_refusal_ends_with_the_refusal`).
    fn refused(&self) -> Option<Failure> {
        None
    }

    /// Keeps what can be known of the last sign-in if it failed, once. Called when the failure and what follows from it
    /// are on disk, for it takes its time. MUST come to an end by itself within seconds
    /// (`a_browser_that_does_not_answer_is_not_waited_for`), and MUST change no failure
    /// (`a_folder_that_cannot_be_made_changes_no_failure`).
    async fn keep_evidence(&mut self) {}

    /// Ends the session and everything it started.
    async fn close(self: Box<Self>);
}
