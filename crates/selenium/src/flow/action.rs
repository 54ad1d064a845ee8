//! What the flow can want done. When it wants which, `flow` decides; how it is done is `oauth_login_automation`'s.

use vega_domain::failure::Failure;
use vega_domain::sign_in::{Notice, PromptKind};

/// The next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the page or the human is busy.
    Wait,
    /// Type the mobile number.
    FillMobile { selector: String },
    /// Request the permit for an OTP, then press.
    PressGetOtp { selector: String },
    /// Record that the human pressed "Get OTP".
    NotePress,
    /// Offer the prompt for this second factor, if it is not open already.
    Offer(PromptKind),
    /// Press the button under a second factor that was typed from the prompt.
    Submit { selector: String },
    /// Tell the human.
    Tell(Notice),
    /// End the attempt.
    Fail(Failure),
}
