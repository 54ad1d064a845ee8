//! A token as a program gets it, whoever gave it: the server at its socket, or the database.

use chrono::{DateTime, Utc};
use vega_api_types::TokenView;
use vega_api_types::codes::TokenKind;
use vega_domain::expiry::{LAST_SECONDS, rfc3339_ist};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;

/// A token that programs may have.
#[derive(Debug, Clone)]
pub(crate) struct ProgramToken {
    pub(crate) api: ApiName,
    pub(crate) access_token: AccessToken,
    pub(crate) generation: Generation,
    pub(crate) valid_until: DateTime<Utc>,
}

impl From<&StoredToken> for ProgramToken {
    fn from(token: &StoredToken) -> Self {
        Self {
            api: token.api.clone(),
            access_token: token.access_token.clone(),
            generation: token.generation,
            valid_until: token.valid_until,
        }
    }
}

impl ProgramToken {
    pub(crate) fn view(&self) -> TokenView<'_> {
        TokenView {
            v: 1,
            api: self.api.as_str(),
            access_token: self.access_token.expose(),
            // The command line asks for no other kind.
            kind: TokenKind::Trade,
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
