//! The answers of `/livez` and `/readyz`.

use serde::Serialize;
use utoipa::ToSchema;

/// The program that answers; `vega` looks for it where a redirect URI's port is taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiveView {
    pub v: u8,
    /// Always `vega-server`.
    pub program: &'static str,
    pub version: &'static str,
    /// What only a holder of the installation's key can say to the challenge, for the address that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// What the server needs to do its work; its hot tokens it has before it answers at all. No names and no figures: anybody may
/// ask.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyView {
    pub v: u8,
    pub ready: bool,
    /// The database takes changes, the key is the one that it belongs to, and what must not be undone has its checkpoint.
    pub storage: bool,
    /// What decides in the database is what Vega wrote last.
    pub rows: bool,
}
