//! The console's session: how it is opened, and how long it lasts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the link of `vega console` carries after its `#`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    #[schema(max_length = 200)]
    pub code: String,
}

/// The session that was opened.
#[derive(Serialize, ToSchema)]
pub struct OpenedView {
    pub v: u8,
    /// Sent once. To be sent along as `x-vega-session` with each call, beside the cookie; either alone opens nothing.
    pub secret: String,
}

/// The console's session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub v: u8,
    pub opened_at: String,
    /// It ends then, or earlier when nobody calls.
    pub ends_at: String,
    pub ends_at_unix: i64,
    /// So many seconds without a call end it.
    pub idle_seconds: i64,
}
