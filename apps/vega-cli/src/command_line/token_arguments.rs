//! What can be typed after the commands with which the operator gives Vega a token or takes one back: `vega adopt`, `vega revoke`.

use clap::Args;
use vega_domain::ids::{AccountId, ApiName};

/// Whose token is meant.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenOf {
    /// The day's token of this API
    #[arg(value_name = "API")]
    pub(crate) api: Option<ApiName>,
    /// The analytics token of this account, which only reads and lives for a year
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) analytics: Option<AccountId>,
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The token is asked for hidden, or read from a pipe; it is never an argument. Upstox is asked about it before it is stored.

Examples:
  vega adopt PRIMARY
  vega adopt --analytics default
  vega adopt PRIMARY < token.txt")]
pub(crate) struct Adopt {
    #[command(flatten)]
    pub(crate) of: TokenOf,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega revoke PRIMARY\n  vega revoke PRIMARY --yes\n  vega revoke --analytics default"
)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) of: TokenOf,
    /// Without asking
    #[arg(long)]
    pub(crate) yes: bool,
}
