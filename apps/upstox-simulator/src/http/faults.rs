//! Scenarios at the endpoints: what happens before a call does its work, and what becomes of its answer after it.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::envelope::{self, Answer};
use crate::{connection::Connection, model::scenario::Kind};

/// The scenarios one call has drawn.
pub(super) struct Faults {
    kinds: Vec<Kind>,
    connection: Connection,
}

impl Faults {
    pub(super) fn new(kinds: Vec<Kind>, connection: Connection) -> Faults {
        Faults { kinds, connection }
    }

    /// Waits as told; an answer here is given instead of doing the work.
    pub(super) async fn before(&self) -> Option<Response> {
        self.wait(ClockReading::Before).await;
        self.kinds.iter().find_map(|kind| match kind {
            Kind::Status { after: false, .. } | Kind::RateLimited {} | Kind::AuthorizeError { .. } => {
                error(kind).map(Answer::into_response)
            }
            Kind::ResetBefore {} => Some(self.cut()),
            Kind::CloudflareHtml { .. } => Some(cloudflare_page()),
            _ => None,
        })
    }

    /// How old a token must be before it is known here.
    pub(super) fn known_after(&self) -> Duration {
        let refused = self.kinds.iter().filter_map(|kind| match kind {
            Kind::NewTokenRefused { ms } => Some(Duration::from_millis(*ms)),
            _ => None,
        });
        refused.max().unwrap_or_default()
    }

    /// Whether the answer to an exchange has an extended token too.
    pub(super) fn want_extended_token(&self) -> bool {
        self.kinds
            .iter()
            .any(|kind| matches!(kind, Kind::WithExtendedToken {}))
    }

    /// Sends the answer of a call that did its work, changed or withheld as told.
    pub(super) async fn after(&self, answer: Answer) -> Response {
        self.wait(ClockReading::After).await;
        let kind = self.kinds.iter().find(|kind| !matches!(kind, Kind::Delay { .. }));
        match kind {
            Some(kind @ Kind::Status { .. }) => error(kind).unwrap_or(answer).into_response(),
            Some(Kind::ResetAfter {}) => self.cut(),
            Some(Kind::Truncated { drop_connection }) => truncated(&answer, *drop_connection),
            Some(Kind::HugeBody { bytes }) => huge(&answer, *bytes),
            Some(Kind::NonJson {}) => (
                answer.status,
                [(header::CONTENT_TYPE, "application/json")],
                "OK, but not JSON",
            )
                .into_response(),
            Some(Kind::DuplicateKey {}) => duplicate_key(&answer),
            Some(kind) => edited(answer, kind).into_response(),
            None => answer.into_response(),
        }
    }

    async fn wait(&self, now: ClockReading) {
        for kind in &self.kinds {
            if let Kind::Delay { ms, after } = kind
                && (now == ClockReading::After) == *after
            {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
            }
        }
    }

    /// Ends the connection; the answer returned is never sent.
    fn cut(&self) -> Response {
        self.connection.cut();
        StatusCode::NO_CONTENT.into_response()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClockReading {
    Before,
    After,
}

fn error(kind: &Kind) -> Option<Answer> {
    match kind {
        Kind::Status {
            status,
            code,
            message,
            also,
            ..
        } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let message = message.as_deref().unwrap_or(envelope::usual(code).1);
            Some(Answer::error_with(status, code, message).and_errors(also))
        }
        Kind::RateLimited {} => Some(Answer::error("UDAPI10005")),
        Kind::AuthorizeError { code } => Some(Answer::error(code)),
        _ => None,
    }
}

/// Changes of single fields in a good answer, at the top level or in `data`.
fn edited(mut answer: Answer, kind: &Kind) -> Answer {
    if answer.status != StatusCode::OK {
        return answer;
    }
    let holder = if answer.body.get("data").is_some_and(Value::is_object) {
        &mut answer.body["data"]
    } else {
        &mut answer.body
    };
    if let Some(fields) = holder.as_object_mut() {
        match kind {
            Kind::WrongUser { user_id } => {
                fields.insert("user_id".to_owned(), Value::String(user_id.clone()));
            }
            Kind::MissingAccessToken {} => {
                fields.remove("access_token");
            }
            _ => {}
        }
    }
    answer
}

fn json(status: StatusCode, body: Body) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn truncated(answer: &Answer, drop_connection: bool) -> Response {
    let whole = answer.body.to_string();
    let half = whole[..whole.len() / 2].to_owned();
    if !drop_connection {
        return json(answer.status, Body::from(half));
    }
    // The pause lets the first half leave before the connection ends.
    let broken = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let chunks = stream::once(std::future::ready(Ok(half))).chain(stream::once(broken));
    let mut response = json(answer.status, Body::from_stream(chunks));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    response
}

/// The good answer with a last field that goes on and on.
fn huge(answer: &Answer, bytes: usize) -> Response {
    let mut body = answer.body.clone();
    body["padding"] = Value::String("x".repeat(bytes));
    json(answer.status, Body::from(body.to_string()))
}

/// The good answer with `access_token` twice: a false one first.
fn duplicate_key(answer: &Answer) -> Response {
    let body = answer.body.to_string();
    let doubled = body.replacen('{', r#"{"access_token":"eyJ0eXAiOiJKV1QifQ.e30.ZmFsc2U","#, 1);
    json(
        answer.status,
        Body::from(if answer.status == StatusCode::OK {
            doubled
        } else {
            body
        }),
    )
}

/// The block page a firewall in front of the broker shows.
pub(super) fn cloudflare_page() -> Response {
    let headers = [
        (header::SERVER.as_str(), "cloudflare"),
        ("cf-ray", "8f0000000000abcd-BOM"),
        ("cf-mitigated", "block"),
        (header::CONTENT_TYPE.as_str(), "text/html; charset=UTF-8"),
    ];
    (
        StatusCode::FORBIDDEN,
        headers,
        include_str!("../../assets/blocked.html"),
    )
        .into_response()
}
