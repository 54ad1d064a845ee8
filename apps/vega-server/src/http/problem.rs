//! Errors as `application/problem+json` (RFC 9457) with a stable `code`. All codes are listed here; the OpenAPI file is
//! generated from this list.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ports::StoreError;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:tt, $status:ident, $title:literal;)*) => {
        /// What went wrong. Codes are only ever added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        pub(crate) enum Code {
            $($(#[doc = $doc])* #[serde(rename = $code)] $variant,)*
        }

        impl Code {
            fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest = "bad_request", BAD_REQUEST, "The request cannot be read";
    /// Neither a key nor a session came along, or one that is not known.
    NotSignedIn = "not_signed_in", UNAUTHORIZED, "A key or a session is needed";
    /// The key or session may not do this.
    NotAllowed = "not_allowed", FORBIDDEN, "This is not allowed with this key or session";
    /// Another site sent this.
    CrossSite = "cross_site", FORBIDDEN, "Requests of other sites are refused";
    /// The `Host` is not one of this server.
    WrongHost = "wrong_host", MISDIRECTED_REQUEST, "This server has another name";
    /// There is no such thing.
    NotFound = "not_found", NOT_FOUND, "There is no such thing";
    /// No such API is configured.
    UnknownApi = "unknown_api", NOT_FOUND, "No such API is configured";
    /// There is no run.
    NoRun = "no_run", NOT_FOUND, "There is no such run";
    /// The path has no such method.
    WrongMethod = "wrong_method", METHOD_NOT_ALLOWED, "The path has no such method";
    /// The body is not JSON.
    NotJson = "not_json", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    /// The body does not hold what it must.
    WrongBody = "wrong_body", UNPROCESSABLE_ENTITY, "The body does not hold what it must";
    /// The body is too large.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body did not come in time.
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT, "The body did not come in time";
    /// No usable token: a human must sign in.
    HumanNeeded = "human_needed", CONFLICT, "A human must sign in";
    /// Sign-ins of the account are closed for a while.
    CoolingDown = "cooling_down", TOO_MANY_REQUESTS, "The account cools down";
    /// Whether the token is good is not known.
    TokenUnknown = "token_unknown", SERVICE_UNAVAILABLE, "Whether the token is good is not known";
    /// Another process signs in.
    HeldElsewhere = "held_elsewhere", CONFLICT, "Another process signs in";
    /// The question is not open any more.
    PromptGone = "prompt_gone", CONFLICT, "The question is not open any more";
    /// The answer does not fit the question.
    AnswerDoesNotFit = "answer_does_not_fit", CONFLICT, "The answer does not fit the question";
    /// The run is over.
    RunOver = "run_over", CONFLICT, "The run is over";
    /// The link was used, is too old, or never was.
    LinkUsed = "link_used", UNAUTHORIZED, "The link does not open anything";
    /// The server is being stopped.
    Stopping = "stopping", SERVICE_UNAVAILABLE, "The server is being stopped";
    /// Too many streams are open.
    TooManyStreams = "too_many_streams", SERVICE_UNAVAILABLE, "Too many streams are open";
    /// It took too long.
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, "It took too long";
    /// The database does not do what it must.
    Storage = "storage", SERVICE_UNAVAILABLE, "The database does not do what it must";
    /// Vega itself failed.
    Unexpected = "unexpected", INTERNAL_SERVER_ERROR, "Vega failed";
}

/// A problem, as it is sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the `code` says which it is.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Which problem.
    pub(crate) code: Code,
    /// What happened, why, and what to do next.
    pub(crate) detail: String,
    /// When it is worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    /// The same in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at_unix: Option<i64>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: code.title(),
            status: code.status().as_u16(),
            code,
            detail: detail.into(),
            retry_at: None,
            retry_at_unix: None,
            retry_after: None,
        }
    }

    /// Worth trying again then.
    pub(crate) fn until(mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        self.retry_at = Some(rfc3339_ist(at));
        self.retry_at_unix = Some(at.timestamp());
        // At least one second: at zero a program would come back at once, and in vain.
        self.retry_after = u64::try_from((at - now).num_seconds() + 1).ok();
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed at the database");
        Self::new(Code::Storage, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
