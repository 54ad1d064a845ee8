//! What happens while Vega works, for progress bars, streams and hooks. Events carry no secrets and change nothing.

use crate::ids::{AccountId, ApiName, Generation, RunId};
use crate::run::{RunState, StepState, Wait};
use crate::sign_in::{Notice, Screen};
use crate::token::TokenStatus;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One token's profile check came back.
    TokenChecked {
        /// Whose token.
        api: ApiName,
        /// Its status after the check.
        status: TokenStatus,
    },
    /// A run began, or goes on after it had ended incomplete.
    RunStarted {
        /// The run.
        run: RunId,
        /// How many of its steps are to be taken.
        open: usize,
        /// How many have their token already.
        settled: usize,
    },
    /// A step moved.
    StepChanged {
        /// The run.
        run: RunId,
        /// The API.
        api: ApiName,
        /// Where the step stands now.
        state: StepState,
    },
    /// The sign-in sees another screen.
    ScreenSeen {
        /// The API that is signed in for.
        api: ApiName,
        /// What the page shows.
        screen: Screen,
    },
    /// "Get OTP" was pressed.
    OtpRequested {
        /// Whose phone gets the OTP.
        account: AccountId,
        /// The API that is signed in for.
        api: ApiName,
    },
    /// The human should know something.
    Noticed {
        /// The API that is signed in for.
        api: ApiName,
        /// What.
        notice: Notice,
    },
    /// Programs can have a new token.
    TokenPublished {
        /// Whose token.
        api: ApiName,
        /// Which one.
        generation: Generation,
    },
    /// The database did not take what was received for an API; it is safe outside of it, and moved when the database
    /// accepts it.
    KeptInSpool {
        /// Whose answer or token.
        api: ApiName,
        /// What the database said.
        why: String,
    },
    /// Neither the database nor the spool took a token: it is lost when this process ends.
    KeptInMemoryOnly {
        /// Whose token.
        api: ApiName,
        /// What the database said.
        why: String,
    },
    /// A run waits: no account can go on now.
    RunWaits {
        /// The run.
        run: RunId,
        /// For what, and until when.
        wait: Wait,
    },
    /// A run goes on after a wait.
    RunGoesOn {
        /// The run.
        run: RunId,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        state: RunState,
    },
}
