//! The shape of an access token: a JWT whose claims name the customer but not the app, as the broker's do.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::random;

/// The claims, in the broker's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    sub: &'a str,
    is_multi_client: bool,
    is_plus_plan: bool,
    iat: i64,
    iss: &'a str,
    exp: i64,
}

/// A fresh token of about 300 characters; only its signature tells it from another of the same second.
pub(crate) fn mint(user_id: &str, issued: DateTime<Utc>, dies: DateTime<Utc>) -> String {
    let claims = Claims {
        sub: user_id,
        is_multi_client: false,
        is_plus_plan: true,
        iat: issued.timestamp(),
        iss: "udapi-gateway-service",
        exp: dies.timestamp(),
    };
    let header = r#"{"typ":"JWT","key_id":"sk_v1.0","alg":"HS256"}"#;
    let payload = serde_json::to_string(&claims).unwrap_or_default();
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload),
        random::signature()
    )
}

/// A fresh extended token, which comes with an access token and lives longer.
pub(crate) fn extended() -> String {
    format!(
        "eyJ0eXAiOiJKV1QifQ.{}.{}",
        random::identifier(),
        random::signature()
    )
}
