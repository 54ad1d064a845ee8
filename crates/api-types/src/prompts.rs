//! What the operator is asked or shown while a run is under way.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::codes::PromptKind;
use crate::plans::PlanView;

/// What the operator is asked or shown now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PromptsView {
    pub v: u8,
    /// The oldest first; more than one where a challenge waits in the window beside a prompt, say.
    pub prompts: Vec<PromptView>,
}

impl PromptsView {
    pub fn of(prompts: Vec<PromptView>) -> Self {
        Self { v: 1, prompts }
    }
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PromptView {
    /// What an answer names it by.
    pub id: Uuid,
    pub kind: PromptKind,
    pub account: Option<String>,
    pub api: Option<String>,
    /// What to do, in words.
    pub words: String,
    /// When it is over.
    pub deadline: String,
    pub deadline_unix: i64,
    /// What a yes starts.
    pub plan: Option<PlanView>,
    /// Where to sign in, in a browser of the human's own. It is a secret: only the console's session gets it, and only where
    /// it asks for the prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where that sign-in ends.
    pub redirect_uri: Option<String>,
    /// Why it does not come back by itself and must be pasted, if so.
    pub paste_only: Option<String>,
}

/// The operator's answer.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerBody {
    /// To a plan.
    Confirm {
        /// Which question.
        prompt: Uuid,
        /// Whether to carry it out.
        yes: bool,
    },
    /// The OTP, as an alternative to typing it in the window.
    Otp {
        /// Which question.
        prompt: Uuid,
        /// Its six digits; blanks and dashes between them are no part of it.
        #[schema(min_length = 6, max_length = 64)]
        otp: String,
    },
    /// The PIN, as an alternative to typing it in the window.
    Pin {
        /// Which question.
        prompt: Uuid,
        /// Its six digits; blanks and dashes between them are no part of it.
        #[schema(min_length = 6, max_length = 64)]
        pin: String,
    },
    /// The address at which the sign-in ended, from the browser's address bar.
    Address {
        /// Which question.
        prompt: Uuid,
        /// All of it.
        #[schema(max_length = 4096)]
        address: String,
    },
}
