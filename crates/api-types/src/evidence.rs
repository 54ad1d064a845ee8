//! What was kept of failed sign-ins.

use serde::Serialize;
use utoipa::ToSchema;

/// Everything that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidencesView {
    pub v: u8,
    /// The newest first, twenty at most.
    pub evidence: Vec<EvidenceView>,
}

/// What was kept of one failed sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    pub id: String,
    /// When the sign-in failed.
    pub at: String,
    pub at_unix: i64,
    pub api: String,
    /// The stable name of the cause; it may be one of another version of Vega.
    pub reason: String,
    /// The file on the server's machine; an API's last failure points to it.
    pub path: String,
    pub has_picture: bool,
    /// What it tells.
    pub facts: Vec<FactView>,
}

/// Something that evidence tells.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactView {
    /// What it is about, in words.
    pub about: &'static str,
    /// What it says; it may come from a page of Upstox's, or of somebody else's.
    pub says: String,
}
