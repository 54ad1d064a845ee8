//! The shapes of Upstox's answers. Every field may be missing, null or new; only what Vega needs is read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde::Deserialize;
use vega_domain::broker_code;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::secret::AccessToken;
use vega_domain::token::TokenClaims;

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
    pub(crate) status: Option<String>,
    pub(crate) data: Option<ProfileData>,
}

/// Whether an answer that came with HTTP 200 says that the call failed all the same.
pub(crate) fn is_error(status: Option<&str>) -> bool {
    status.is_some_and(|status| status.eq_ignore_ascii_case("error"))
}

/// Answer of the logout endpoint.
#[derive(Deserialize)]
pub(crate) struct LogoutBody {
    pub(crate) status: Option<String>,
    pub(crate) data: Option<bool>,
}

/// What the logout endpoint says of a token that is dead already, in a shape of its own.
#[derive(Deserialize)]
pub(crate) struct OAuthException {
    #[serde(rename = "oAuth2ErrorCode")]
    pub(crate) code: Option<String>,
    #[serde(rename = "stackTrace")]
    pub(crate) stack_trace: Option<serde_json::Value>,
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
        f.write_str(&self.code)?;
        if !self.message.is_empty() {
            write!(f, " {}", self.message)?;
        }
        Ok(())
    }
}

/// Every error in a body, in order; none where it is not Upstox's envelope.
pub(crate) fn broker_errors(body: &[u8]) -> Vec<BrokerError> {
    let envelope: Option<ErrorBody> = serde_json::from_slice(body).ok();
    let items = envelope.map(|envelope| envelope.errors).unwrap_or_default();
    items.into_iter().flat_map(ErrorItem::read).collect()
}

impl ErrorItem {
    /// An error without a code counts as one whose code is not known. Two spellings that name two codes are two errors.
    fn read(self) -> Vec<BrokerError> {
        let spellings = [self.error_code, self.error_code_camel];
        let mut codes: Vec<String> = spellings.into_iter().flatten().collect();
        codes.dedup();
        if codes.is_empty() {
            codes.push("(no code)".to_owned());
        }
        let message = plain(&self.message.unwrap_or_default());
        let error = |code: String| BrokerError {
            code: plain(&code),
            message: message.clone(),
        };
        codes.into_iter().map(error).collect()
    }
}

/// Whether an answer calls the token dead that was sent.
pub(crate) fn calls_token_dead(status: u16, body: &Body) -> bool {
    let errors = broker_errors(&body.bytes);
    body.complete && broker_code::means_death(status, codes(&errors))
}

fn codes(errors: &[BrokerError]) -> impl Iterator<Item = &str> {
    errors.iter().map(|error| error.code.as_str())
}

/// What an answer means that refuses a token and does not call it dead.
pub(crate) fn refusal_of(status: u16, body: &Body) -> Failure {
    let mut failure = failure_from(status, body);
    let has_errors = !broker_errors(&body.bytes).is_empty();
    failure.reason = match failure.reason {
        // A death that something contradicts is none, and what that is, is not known.
        FailureReason::TokenRejected => FailureReason::UnclearRefusal,
        FailureReason::NeedsReview if has_errors => FailureReason::UnclearRefusal,
        // Without Upstox's own envelope it comes from something in between and says nothing of the token.
        FailureReason::NeedsReview => FailureReason::BrokerDown,
        reason => reason,
    };
    failure
}

/// What an answer that is no success means: by Upstox's codes where there are some, else by the HTTP status.
pub(crate) fn failure_of(status: u16, body: &[u8]) -> Failure {
    let errors = broker_errors(body);
    if !errors.is_empty() {
        let reason = broker_code::reason_of_all(codes(&errors)).or(reason_of_status(status));
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Failure::new(reason.unwrap_or(FailureReason::NeedsReview), words.join("; "));
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

/// What a token says of itself. It is opaque by Upstox's word, so whatever is no JWT simply claims nothing.
pub fn claims_of(token: &AccessToken) -> TokenClaims {
    // Each by itself: one that has another form takes nothing from the other.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Claims {
        sub: serde_json::Value,
        iat: serde_json::Value,
        exp: serde_json::Value,
    }
    let read = || {
        let payload = token.expose().split('.').nth(1)?;
        serde_json::from_slice::<Claims>(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    };
    let claims = read().unwrap_or_default();
    let time = |seconds: serde_json::Value| DateTime::from_timestamp(seconds.as_i64()?, 0);
    TokenClaims {
        user_id: claims.sub.as_str().and_then(|sub| UserId::new(sub).ok()),
        made_at: time(claims.iat),
        ends_at: time(claims.exp),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::both(r#"{"errors":[{"errorCode":"A","error_code":"A","message":"m"}]}"#, &[("A", "m")])]
    #[case::snake(r#"{"errors":[{"error_code":"A","message":"m"}]}"#, &[("A", "m")])]
    #[case::camel(r#"{"status":"error","errors":[{"errorCode":"B"}]}"#, &[("B", "")])]
    #[case::two_codes_in_one(
        r#"{"errors":[{"errorCode":"B","error_code":"A","message":"m"}]}"#,
        &[("A", "m"), ("B", "m")]
    )]
    #[case::two(r#"{"errors":[{"errorCode":"A"},{"errorCode":"B"}]}"#, &[("A", ""), ("B", "")])]
    #[case::no_code(r#"{"errors":[{"message":"m"}]}"#, &[("(no code)", "m")])]
    #[case::control_characters("{\"errors\":[{\"error_code\":\"A\",\"message\":\"a\\u001b[2Jb\"}]}", &[("A", "a [2Jb")])]
    #[case::none(r#"{"errors":[]}"#, &[])]
    #[case::html("<html>", &[])]
    #[case::empty("", &[])]
    fn errors_are_read_in_both_spellings(#[case] body: &str, #[case] expected: &[(&str, &str)]) {
        let read = broker_errors(body.as_bytes());
        let read: Vec<_> = read
            .iter()
            .map(|error| (error.code.as_str(), error.message.as_str()))
            .collect();
        assert_eq!(read, expected);
    }

    #[rstest]
    // {"sub":"AB1234","exp":1789250400}
    #[case(
        "h.eyJzdWIiOiJBQjEyMzQiLCJleHAiOjE3ODkyNTA0MDB9.s",
        Some("AB1234"),
        Some(1_789_250_400)
    )]
    // {"sub":"AB1234"}
    #[case("h.eyJzdWIiOiJBQjEyMzQifQ.s", Some("AB1234"), None)]
    // {"sub":7,"exp":1789250400}
    #[case("h.eyJzdWIiOjcsImV4cCI6MTc4OTI1MDQwMH0.s", None, Some(1_789_250_400))]
    // {"sub":"","exp":1789250400}
    #[case("h.eyJzdWIiOiIiLCJleHAiOjE3ODkyNTA0MDB9.s", None, Some(1_789_250_400))]
    #[case("opaque", None, None)]
    #[case("a.b.c", None, None)]
    #[case("", None, None)]
    fn what_a_token_says_of_itself(
        #[case] token: &str,
        #[case] user: Option<&str>,
        #[case] exp: Option<i64>,
    ) {
        let claims = claims_of(&AccessToken::new(token));
        assert_eq!(claims.user_id, user.map(|user| UserId::new(user).unwrap()));
        assert_eq!(claims.ends_at.map(|exp| exp.timestamp()), exp);
    }
}
