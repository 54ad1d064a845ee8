//! The server's JSON, as far as programs need it. Fields that are not named here may come at any time.

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroize;

use crate::server::kind::Kind;
use crate::source::Verdict;
use crate::token::{Generation, Token};

#[derive(Deserialize)]
pub(crate) struct TokenBody {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    generation: Generation,
    valid_until_unix: u64,
}

impl TokenBody {
    /// Nothing where the time is beyond all bounds.
    pub(crate) fn token(self) -> Option<Token> {
        let valid_until = time(self.valid_until_unix)?;
        Some(Token::new(self.access_token, self.generation, valid_until))
    }
}

impl fmt::Debug for TokenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenBody")
    }
}

/// Where the text was is wiped.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let mut text = String::deserialize(deserializer)?;
    let secret = SecretString::from(text.as_str());
    text.zeroize();
    Ok(secret)
}

/// A `token` event.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenEvent {
    pub(crate) servable: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct RejectionBody {
    pub(crate) generation: Generation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RejectionAnswer {
    pub(crate) answer: Verdict,
    pub(crate) failure: Option<FailureBody>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FailureBody {
    #[serde(default)]
    pub(crate) summary: String,
}

/// `application/problem+json`.
#[derive(Debug, Deserialize)]
pub(crate) struct ProblemBody {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) detail: String,
    retry_at_unix: Option<u64>,
}

impl ProblemBody {
    pub(crate) fn retry_at(&self) -> Option<SystemTime> {
        time(self.retry_at_unix?)
    }

    pub(crate) fn words(self) -> String {
        if self.detail.is_empty() {
            self.title
        } else {
            self.detail
        }
    }
}

fn time(unix: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(unix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_fields_than_are_known_may_come() {
        let body = r#"{"v":1,"api":"PRIMARY","access_token":"canary","generation":3,"kind":"trade",
            "valid_until":"2026-12-01T03:30:00+05:30","valid_until_unix":1796075400}"#;
        let body: TokenBody = serde_json::from_str(body).unwrap();
        assert!(!format!("{body:?}").contains("canary"));
        let token = body.token().unwrap();
        assert_eq!((token.expose(), token.generation().get()), ("canary", 3));
        let event: TokenEvent = serde_json::from_str(r#"{"v":1,"servable":true,"else":{}}"#).unwrap();
        assert!(event.servable);
    }

    #[test]
    fn no_error_of_reading_a_token_repeats_it() {
        for body in [
            r#"{"access_token":"canary","generation":"canary","valid_until_unix":1}"#,
            r#"{"access_token":["canary"],"generation":1,"valid_until_unix":1}"#,
            r#"{"access_token":"canary","generation":1,"valid_until_unix":"canary"#,
        ] {
            let error = serde_json::from_str::<TokenBody>(body).unwrap_err();
            // The words of serde may repeat a value, so `calls` never passes them on.
            assert!(error.is_data() || error.is_eof(), "{error}");
        }
    }

    #[test]
    fn a_time_beyond_all_bounds_is_no_panic() {
        let body = r#"{"access_token":"a","generation":1,"valid_until_unix":18446744073709551615}"#;
        let body: TokenBody = serde_json::from_str(body).unwrap();
        assert!(body.token().is_none());
    }
}
