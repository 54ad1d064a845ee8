//! Errors of the server as `application/problem+json` (RFC 9457) with a stable `code`. All codes are listed here, each with its
//! HTTP status and its title.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:tt, $status:literal, $title:literal;)*) => {
        /// What went wrong. Codes are only ever added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[doc = $doc])* #[serde(rename = $code)] $variant,)*
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The HTTP status that it is sent with.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest = "bad_request", 400, "The request cannot be read";
    /// Neither a key nor a session came along, or one that is not known.
    NotSignedIn = "not_signed_in", 401, "A key or a session is needed";
    /// The key or session may not do this.
    NotAllowed = "not_allowed", 403, "This is not allowed with this key or session";
    /// The operator has stopped the program that calls.
    ConsumerStopped = "consumer_stopped", 403, "The operator has stopped this program";
    /// Another site sent this.
    CrossSite = "cross_site", 403, "Requests of other sites are refused";
    /// The `Host` is not one of this server.
    WrongHost = "wrong_host", 421, "This server has another name";
    /// There is no such thing.
    NotFound = "not_found", 404, "There is no such thing";
    /// No such API is configured.
    UnknownApi = "unknown_api", 404, "No such API is configured";
    /// The API has no such token yet.
    UnknownGeneration = "unknown_generation", 400, "There is no such generation";
    /// No such consumer is known.
    UnknownConsumer = "unknown_consumer", 404, "No such consumer is known";
    /// There is no run.
    NoRun = "no_run", 404, "There is no such run";
    /// The path has no such method.
    WrongMethod = "wrong_method", 405, "The path has no such method";
    /// The body is not JSON.
    NotJson = "not_json", 415, "The body must be JSON";
    /// The body does not hold what it must.
    WrongBody = "wrong_body", 422, "The body does not hold what it must";
    /// The body is too large.
    TooLarge = "too_large", 413, "The body is too large";
    /// The body did not come in time.
    BodyTooSlow = "body_too_slow", 408, "The body did not come in time";
    /// No usable token: a human must sign in.
    HumanNeeded = "human_needed", 409, "A human must sign in";
    /// Sign-ins of the account are closed for a while.
    CoolingDown = "cooling_down", 429, "The account cools down";
    /// Whether the token is good is not known.
    TokenUnknown = "token_unknown", 503, "Whether the token is good is not known";
    /// Another process signs in.
    HeldElsewhere = "held_elsewhere", 409, "Another process signs in";
    /// The question is not open any more.
    PromptGone = "prompt_gone", 409, "The question is not open any more";
    /// The answer does not fit the question.
    AnswerDoesNotFit = "answer_does_not_fit", 409, "The answer does not fit the question";
    /// The run is over.
    RunOver = "run_over", 409, "The run is over";
    /// The link was used, is too old, or never was.
    LinkUsed = "link_used", 401, "The link does not open anything";
    /// The server is being started, and its database is not there yet.
    Starting = "starting", 503, "The server is being started";
    /// The server is being stopped.
    Stopping = "stopping", 503, "The server is being stopped";
    /// Too many streams are open.
    TooManyStreams = "too_many_streams", 503, "Too many streams are open";
    /// It took too long.
    TimedOut = "timed_out", 503, "It took too long";
    /// The database does not do what it must.
    Storage = "storage", 503, "The database does not do what it must";
    /// Vega itself failed.
    Unexpected = "unexpected", 500, "Vega failed";
}

/// A problem, as it is sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemView {
    /// Always `about:blank`: the `code` says which it is.
    #[schema(example = "about:blank")]
    pub r#type: &'static str,
    /// The code in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Which problem.
    pub code: ProblemCode,
    /// What happened, why, and what to do next.
    pub detail: String,
    /// When it is worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<String>,
    /// The same in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at_unix: Option<i64>,
    /// Where the server is that can do it, scheme, host and port: the one that signs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl ProblemView {
    pub fn new(code: ProblemCode, detail: String) -> Self {
        Self {
            r#type: "about:blank",
            title: code.title(),
            status: code.status(),
            code,
            detail,
            retry_at: None,
            retry_at_unix: None,
            url: None,
        }
    }
}
