//! How a failure looks: its stable reason, and what a human reads.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::failure::Failure;

use crate::codes::FailureReason;

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FailureView {
    /// The stable name of the cause.
    pub reason: FailureReason,
    /// The cause in words.
    pub summary: &'static str,
    /// What was said, by Upstox, say.
    pub detail: String,
    /// What to do next.
    pub next: &'static str,
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        Self {
            reason: FailureReason(failure.reason),
            summary: failure.reason.summary(),
            detail: failure.detail.clone(),
            next: failure.reason.advice(),
        }
    }
}

/// How the last sign-in of an API failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LastFailureView {
    #[serde(flatten)]
    pub failure: FailureView,
    /// The file on the server's machine with what was kept of it, if something was.
    pub evidence: Option<String>,
}
