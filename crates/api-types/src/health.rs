//! The answers of `/livez`, `/readyz` and `/readyz/tokens`.

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

/// What programs need that read tokens: they are served from memory, also while the database is away.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensReadyView {
    pub v: u8,
    pub ready: bool,
    /// For so many seconds the database could not be asked what other processes changed; absent while it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_for_seconds: Option<u64>,
}
