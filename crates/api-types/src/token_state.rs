//! What programs are told of one API's token as it changes: whether there is one, which one, and until when. Never the token,
//! unless somebody asked `vega watch` for it.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::token::StoredToken;

/// The data of a `token` event of `/api/v1/apis/{api}/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenStateView {
    pub v: u8,
    /// The API's name.
    pub api: String,
    /// Whether programs get a token now.
    pub servable: bool,
    /// Which one; counts the tokens of this API.
    pub generation: Option<u32>,
    pub valid_until: Option<String>,
    pub valid_until_unix: Option<i64>,
}

impl TokenStateView {
    /// With this token, if programs get one.
    pub fn of(api: &str, token: Option<&StoredToken>) -> Self {
        Self {
            v: 1,
            api: api.to_owned(),
            servable: token.is_some(),
            generation: token.map(|token| token.generation.get()),
            valid_until: token.map(|token| rfc3339_ist(token.valid_until)),
            valid_until_unix: token.map(|token| token.valid_until.timestamp()),
        }
    }
}

/// A line of `vega watch`.
#[derive(Serialize)]
pub struct WatchedTokenView<'t> {
    #[serde(flatten)]
    pub state: TokenStateView,
    /// Only with `--with-token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<&'t str>,
}
