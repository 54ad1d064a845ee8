//! The shapes of Upstox's answers. Every field may be missing, null or new; only what Vega needs is read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};

use crate::http::Body;

/// Answer of the token endpoint: a flat object, unlike every other one.
#[derive(Deserialize)]
pub(crate) struct TokenBody {
    pub(crate) access_token: Option<String>,
    pub(crate) extended_token: Option<String>,
    pub(crate) user_id: Option<String>,
}

/// Answer of the profile endpoint.
#[derive(Deserialize)]
pub(crate) struct ProfileBody {
    pub(crate) data: Option<ProfileData>,
}

#[derive(Deserialize)]
pub(crate) struct ProfileData {
    pub(crate) user_id: Option<String>,
}

/// The envelope of errors. Upstox writes each key in two spellings; `error_code` is read first.
#[derive(Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorItem>,
}

#[derive(Deserialize)]
struct ErrorItem {
    error_code: Option<String>,
    #[serde(rename = "errorCode")]
    error_code_camel: Option<String>,
    message: Option<String>,
}

/// One error of Upstox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BrokerError {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl std::fmt::Display for BrokerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// The first error in a body, if it is Upstox's envelope.
pub(crate) fn broker_error(body: &[u8]) -> Option<BrokerError> {
    let envelope: ErrorBody = serde_json::from_slice(body).ok()?;
    let first = envelope.errors.into_iter().next()?;
    Some(BrokerError {
        code: plain(&first.error_code.or(first.error_code_camel)?),
        message: plain(&first.message.unwrap_or_default()),
    })
}

/// What an answer that is no success means: by Upstox's code where there is one, else by the HTTP status.
pub(crate) fn failure_of(status: u16, body: &[u8]) -> Failure {
    if let Some(error) = broker_error(body) {
        let reason = broker_code::reason_of(&error.code).or(reason_of_status(status));
        return Failure::new(reason.unwrap_or(FailureReason::NeedsReview), error.to_string());
    }
    if status == 403 && is_html(body) {
        return Failure::new(FailureReason::Blocked, "HTTP 403 with a web page of Cloudflare's");
    }
    let reason = reason_of_status(status).unwrap_or(FailureReason::NeedsReview);
    Failure::new(reason, format!("HTTP {status} without an error of Upstox's"))
}

/// The same of an answer whose sender is known as well: what is not Upstox's is told as that.
pub(crate) fn failure_from(status: u16, body: &Body) -> Failure {
    let failure = failure_of(status, &body.bytes);
    if is_object(&body.bytes) {
        return failure;
    }
    let who = body.speaker.words();
    let what = match (status, is_html(&body.bytes)) {
        (403, true) if body.speaker.is_cloudflare() => return failure,
        (_, true) => "a web page",
        (_, false) => "no answer of Upstox's",
    };
    let reason = match failure.reason {
        FailureReason::BrokerDown | FailureReason::Throttled | FailureReason::ServiceHours
            if status != 511 =>
        {
            failure.reason
        }
        _ if status == 407 => FailureReason::Proxy,
        _ => FailureReason::ForeignAnswer,
    };
    Failure::new(reason, format!("HTTP {status}{who} with {what}"))
}

fn reason_of_status(status: u16) -> Option<FailureReason> {
    match status {
        423 => Some(FailureReason::ServiceHours),
        429 => Some(FailureReason::Throttled),
        500.. => Some(FailureReason::BrokerDown),
        _ => None,
    }
}

/// Whether a body is a JSON object, as every answer of Upstox's API is.
pub(crate) fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok()
}

/// Whether a body is a web page: Cloudflare or a proxy speaks, not Upstox's API.
fn is_html(body: &[u8]) -> bool {
    let start: Vec<u8> = body
        .iter()
        .copied()
        .skip_while(u8::is_ascii_whitespace)
        .take(15)
        .collect();
    start.first() == Some(&b'<') || start.starts_with(b"error code: 10")
}

/// Text from outside, fit for a terminal and a log: one line, no control characters, not endless.
fn plain(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect()
}

/// The `exp` claim of a JWT. The token is opaque by Upstox's word, so anything else is simply no claim.
pub(crate) fn expiry_claim(token: &str) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::both(r#"{"errors":[{"errorCode":"B","error_code":"A","message":"m"}]}"#, Some(("A", "m")))]
    #[case::snake(r#"{"errors":[{"error_code":"A","message":"m"}]}"#, Some(("A", "m")))]
    #[case::camel(r#"{"status":"error","errors":[{"errorCode":"B"}]}"#, Some(("B", "")))]
    #[case::first_of_two(r#"{"errors":[{"errorCode":"A"},{"errorCode":"B"}]}"#, Some(("A", "")))]
    #[case::none(r#"{"errors":[]}"#, None)]
    #[case::no_code(r#"{"errors":[{"message":"m"}]}"#, None)]
    #[case::control_characters("{\"errors\":[{\"error_code\":\"A\",\"message\":\"a\\u001b[2Jb\"}]}", Some(("A", "a [2Jb")))]
    #[case::html("<html>", None)]
    #[case::empty("", None)]
    fn errors_are_read_in_both_spellings(#[case] body: &str, #[case] expected: Option<(&str, &str)>) {
        let read = broker_error(body.as_bytes()).map(|error| (error.code, error.message));
        assert_eq!(
            read.as_ref()
                .map(|(code, message)| (code.as_str(), message.as_str())),
            expected
        );
    }

    #[rstest]
    // {"sub":"AB1234","exp":1789250400}
    #[case("h.eyJzdWIiOiJBQjEyMzQiLCJleHAiOjE3ODkyNTA0MDB9.s", Some(1_789_250_400))]
    #[case("opaque", None)]
    #[case("a.b.c", None)]
    #[case("", None)]
    fn the_expiry_claim_is_read_where_there_is_one(#[case] token: &str, #[case] exp: Option<i64>) {
        assert_eq!(expiry_claim(token).map(|exp| exp.timestamp()), exp);
    }
}
