//! A program's report that Upstox refuses its token, and the answer to it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{TokenAnswer, TokenKind};
use crate::failures::FailureView;

/// A token that Upstox refuses.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectionBody {
    /// Which token: its `generation`, as it came with it.
    #[schema(minimum = 1)]
    pub generation: u32,
    /// Which kind: its `kind`, as it came with it; `trade` where it is left out.
    pub kind: Option<TokenKind>,
}

/// The answer to a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectionView {
    pub v: u8,
    pub api: String,
    /// Of which kind the token is.
    pub kind: TokenKind,
    pub answer: TokenAnswer,
    /// What that means, and what to do next.
    pub detail: String,
    /// The generation that was reported.
    pub generation: u32,
    /// The newest one of this API and kind.
    pub newest_generation: u32,
    /// When Upstox was last asked about the newest one.
    pub checked_at: Option<String>,
    pub checked_at_unix: Option<i64>,
    /// Why it is not known, if so.
    pub failure: Option<FailureView>,
}
