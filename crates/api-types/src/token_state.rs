//! What programs are told of one API's token as it changes: whether there is one, which one, and until when. Never the token,
//! unless somebody asked `vega watch` for it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::Generation;
use vega_domain::token::StoredToken;
use vega_domain::token_kind;

use crate::codes::TokenKind;
use crate::problems::{ProblemCode, ProblemView};

/// One server-sent event of `/api/v1/apis/{api}/events`. `event` is its name; `data` is what its `data:` line holds, as JSON.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum TokenStreamEvent {
    /// How the token stands.
    Token(TokenStateView),
    /// The server ends the stream; nothing follows.
    End(StreamEndView),
}

/// Why a stream ends.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StreamEndView {
    pub v: u8,
    /// The cause: another try is of use after `stopping`, and of none after the others.
    pub code: ProblemCode,
    /// The cause, and what to do next.
    pub detail: String,
}

/// How the token of one API stands, for programs that use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenStateView {
    pub v: u8,
    /// The API's name.
    pub api: String,
    /// Whether programs get a token now.
    pub servable: bool,
    /// What it opens: `trade`, or only `read`.
    pub kind: Option<TokenKind>,
    /// Which one; counts the tokens of this API and kind.
    pub generation: Option<u32>,
    /// Tells this token from every other one of the API: the `ETag` of its answer, without the quotes. A generation can come twice,
    /// where a database server lost the first one.
    pub version: Option<String>,
    pub valid_until: Option<String>,
    pub valid_until_unix: Option<i64>,
    /// Why there is none, as the answer to `GET /api/v1/apis/{api}/token` would say; missing for the moment in which that is not known
    /// yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<ProblemCode>,
    /// The cause in words, and what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it is worth asking again, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at_unix: Option<i64>,
}

impl TokenStateView {
    /// With this token, which a program gets with the name of this API, and whose version is `version`.
    pub fn with(api: &str, token: &StoredToken, version: &str) -> Self {
        Self::of(api, token.kind(), token.generation, version, token.valid_until)
    }

    /// With the token of this kind, generation and version.
    pub fn of(
        api: &str,
        kind: token_kind::TokenKind,
        generation: Generation,
        version: &str,
        valid_until: DateTime<Utc>,
    ) -> Self {
        Self {
            servable: true,
            kind: Some(kind.into()),
            generation: Some(generation.get()),
            version: Some(version.to_owned()),
            valid_until: Some(rfc3339_ist(valid_until)),
            valid_until_unix: Some(valid_until.timestamp()),
            ..Self::without(api, None)
        }
    }

    /// Without a token, for this cause, if it is known.
    pub fn without(api: &str, cause: Option<&ProblemView>) -> Self {
        Self {
            v: 1,
            api: api.to_owned(),
            servable: false,
            kind: None,
            generation: None,
            version: None,
            valid_until: None,
            valid_until_unix: None,
            code: cause.map(|cause| cause.code),
            detail: cause.map(|cause| cause.detail.clone()),
            retry_at: cause.and_then(|cause| cause.retry_at.clone()),
            retry_at_unix: cause.and_then(|cause| cause.retry_at_unix),
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
