//! What the operator is asked or shown while a run is under way.

use serde::Serialize;
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
