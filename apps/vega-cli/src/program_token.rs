//! A token as a program gets it, whoever gave it: the server at its socket, or the database.

use chrono::{DateTime, Utc};
use vega_api_types::TokenView;
use vega_domain::expiry::{LAST_SECONDS, rfc3339_ist};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_kind::TokenKind;

/// A token that programs may have.
#[derive(Debug, Clone)]
pub(crate) struct ProgramToken {
    /// The name that it was asked for with.
    pub(crate) api: ApiName,
    pub(crate) kind: TokenKind,
    pub(crate) access_token: AccessToken,
    pub(crate) generation: Generation,
    pub(crate) valid_until: DateTime<Utc>,
}

impl ProgramToken {
    /// A stored token that was asked for with the name of this API.
    pub(crate) fn of(api: &ApiName, token: &StoredToken) -> Self {
        Self {
            api: api.clone(),
            kind: token.kind(),
            access_token: token.access_token.clone(),
            generation: token.generation,
            valid_until: token.valid_until,
        }
    }

    pub(crate) fn view(&self) -> TokenView<'_> {
        TokenView {
            v: 1,
            api: self.api.as_str(),
            access_token: self.access_token.expose(),
            kind: self.kind.into(),
            generation: self.generation.get(),
            valid_until: rfc3339_ist(self.valid_until),
            valid_until_unix: self.valid_until.timestamp(),
        }
    }
}

/// Whether a program may have a token that dies then: not in its last minute.
pub(crate) fn is_served(valid_until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now < valid_until - LAST_SECONDS
}
