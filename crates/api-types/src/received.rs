//! What the command line reads of the server's answers, of the shapes that are written elsewhere in this crate. Fields that are not named here
//! may come at any time, and an answer that lacks one of these is none.

use chrono::{DateTime, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use vega_domain::ids::Generation;
use vega_domain::secret::AccessToken;

use crate::codes::{TokenAnswer, TokenKind};
use crate::problems::ProblemCode;

/// A `TokenView`.
#[derive(Debug, Deserialize)]
pub struct ReceivedToken {
    #[serde(deserialize_with = "secret")]
    pub access_token: AccessToken,
    pub kind: TokenKind,
    #[serde(deserialize_with = "generation")]
    pub generation: Generation,
    #[serde(rename = "valid_until_unix", deserialize_with = "time")]
    pub valid_until: DateTime<Utc>,
}

/// A `TokenStateView`.
#[derive(Debug, Deserialize)]
pub struct ReceivedTokenState {
    pub servable: bool,
    pub kind: Option<TokenKind>,
    #[serde(default, deserialize_with = "maybe_generation")]
    pub generation: Option<Generation>,
    pub version: Option<String>,
    #[serde(default, rename = "valid_until_unix", deserialize_with = "maybe_time")]
    pub valid_until: Option<DateTime<Utc>>,
    /// The cause in words, and what to do next.
    pub detail: Option<String>,
}

/// A `ProblemView`, or a `StreamEndView`.
#[derive(Debug, Clone, Deserialize)]
pub struct ReceivedProblem {
    pub code: ProblemCode,
    pub detail: String,
}

/// A `RejectionView`.
#[derive(Debug, Deserialize)]
pub struct ReceivedRejection {
    pub answer: TokenAnswer,
    pub newest_generation: u32,
    pub failure: Option<ReceivedFailure>,
}

/// A `FailureView`.
#[derive(Debug, Deserialize)]
pub struct ReceivedFailure {
    pub summary: String,
    pub detail: String,
    pub next: String,
}

impl ReceivedFailure {
    /// What went wrong, and what to do next. The page's words may end with a full stop of their own.
    pub fn with_advice(&self) -> String {
        let colon = if self.detail.is_empty() { "" } else { ": " };
        let words = format!("{}{colon}{}", self.summary, self.detail);
        format!("{}. {}", words.trim_end_matches('.'), self.next)
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    String::deserialize(deserializer).map(AccessToken::new)
}

fn generation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Generation, D::Error> {
    Generation::new(u32::deserialize(deserializer)?).map_err(Error::custom)
}

fn maybe_generation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Generation>, D::Error> {
    let number: Option<u32> = Option::deserialize(deserializer)?;
    number.map(Generation::new).transpose().map_err(Error::custom)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    at(i64::deserialize(deserializer)?)
}

fn maybe_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let seconds: Option<i64> = Option::deserialize(deserializer)?;
    seconds.map(at).transpose()
}

fn at<E: Error>(seconds: i64) -> Result<DateTime<Utc>, E> {
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| Error::custom("no such time"))
}

#[cfg(test)]
mod tests {
    use vega_domain::ids::ApiName;

    use super::*;
    use crate::{ProblemView, StreamEndView, TokenStateView, TokenView};

    /// What is written is what is read: the names of fields are on both sides of one crate.
    #[test]
    fn what_the_server_writes_is_read() {
        let api = ApiName::new("PRIMARY").unwrap();
        let until = DateTime::from_timestamp(1_796_075_400, 0).unwrap();
        let token = TokenView {
            v: 1,
            api: api.as_str(),
            access_token: "canary",
            kind: TokenKind::Read,
            generation: 3,
            valid_until: String::new(),
            valid_until_unix: until.timestamp(),
        };
        let written = serde_json::to_string(&token).unwrap();
        let read: ReceivedToken = serde_json::from_str(&written).unwrap();
        assert_eq!(
            (
                read.access_token.expose(),
                read.generation.get(),
                read.valid_until
            ),
            ("canary", 3, until)
        );
        assert!(!format!("{read:?}").contains("canary"));

        let written = serde_json::to_string(&TokenStateView::of(
            api.as_str(),
            read.kind.into(),
            read.generation,
            "3-a",
            until,
        ))
        .unwrap();
        let read: ReceivedTokenState = serde_json::from_str(&written).unwrap();
        assert!(read.servable);
        assert_eq!(read.kind, Some(TokenKind::Read));
        assert_eq!(
            (read.version.as_deref(), read.valid_until),
            (Some("3-a"), Some(until))
        );

        let problem = ProblemView::new(ProblemCode::ConsumerStopped, "Stopped.".into());
        let written = serde_json::to_string(&TokenStateView::without("PRIMARY", Some(&problem))).unwrap();
        let read: ReceivedTokenState = serde_json::from_str(&written).unwrap();
        assert_eq!((read.servable, read.generation), (false, None));
        assert_eq!(read.detail.as_deref(), Some("Stopped."));

        let end = StreamEndView {
            v: 1,
            code: problem.code,
            detail: problem.detail.clone(),
        };
        for written in [serde_json::to_string(&problem), serde_json::to_string(&end)] {
            let read: ReceivedProblem = serde_json::from_str(&written.unwrap()).unwrap();
            assert_eq!(
                (read.code, &*read.detail),
                (ProblemCode::ConsumerStopped, "Stopped.")
            );
        }
    }

    /// A generation of none, a time beyond all bounds, and a token that is no text are no answer; what was said is in no error.
    #[test]
    fn nonsense_is_no_token() {
        for text in [
            r#"{"access_token":"canary","kind":"trade","generation":0,"valid_until_unix":1}"#,
            r#"{"access_token":"canary","kind":"trade","generation":1,"valid_until_unix":9223372036854775807}"#,
            r#"{"access_token":["canary"],"kind":"trade","generation":1,"valid_until_unix":1}"#,
            r#"{"access_token":"canary","kind":"trade","generation":1}"#,
            r#"{"access_token":"canary","kind":"both","generation":1,"valid_until_unix":1}"#,
            r#"{"access_token":"canary","generation":1,"valid_until_unix":1}"#,
        ] {
            let error = serde_json::from_str::<ReceivedToken>(text)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
