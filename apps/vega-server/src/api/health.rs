//! Health checks: whether the server lives, and whether it can do its work.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vega_listening::{CHALLENGE, CalledAt};

use crate::http::extract::QueryParams;
use crate::http::problem::{Code, Problem};
use crate::server::Server;

/// The program that answers; `vega` looks for it where a redirect URI's port is taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveView {
    v: u8,
    /// Always `vega-server`.
    program: &'static str,
    version: &'static str,
    /// What only a holder of the installation's key can say to the challenge, for the address that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

/// What whoever asks wants to know besides.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Live {
    /// Random text, to which the answer holds a proof: 16 to 64 letters, digits, `-` and `_`.
    #[param(min_length = 16, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    challenge: Option<String>,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/livez", operation_id = "isLive", security(()), tag = "health", params(Live),
    responses((status = 200, description = "It does", body = LiveView),
        (status = 400, description = "The challenge is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 421, description = "The `Host` is not one of this server", body = Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn live(
    State(server): State<Arc<Server>>,
    called: Option<Extension<CalledAt>>,
    QueryParams(wanted): QueryParams<Live>,
) -> Result<Json<LiveView>, Problem> {
    let proof = match (wanted.challenge, called) {
        (Some(challenge), _) if !is_challenge(&challenge) => {
            let words = "A challenge has 16 to 64 letters, digits, `-` and `_`.";
            return Err(Problem::new(Code::BadRequest, words));
        }
        // For the address of this connection: a program that relays the proof gains nothing.
        (Some(challenge), Some(Extension(CalledAt(address)))) => {
            Some(server.vega.prove_listener(&challenge, address))
        }
        _ => None,
    };
    Ok(Json(LiveView {
        v: 1,
        program: "vega-server",
        version: env!("CARGO_PKG_VERSION"),
        proof,
    }))
}

fn is_challenge(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    CHALLENGE.contains(&text.len()) && text.chars().all(is_plain)
}

/// What the server needs to do its work; its hot tokens it has before it answers at all. No names and no figures: anybody may
/// ask.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyView {
    v: u8,
    ready: bool,
    /// The database takes changes, the key is the one that it belongs to, and what must not be undone has its checkpoint.
    storage: bool,
    /// What decides in the database is what Vega wrote last.
    rows: bool,
}

/// Whether the server can do its work.
#[utoipa::path(get, path = "/readyz", operation_id = "isReady", security(()), tag = "health",
    responses((status = 200, description = "It can", body = ReadyView), (status = 503, description = "It cannot", body = ReadyView),
        (status = 421, description = "The `Host` is not one of this server", body = Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let report = server.readiness.check(&server.vega).await;
    let view = ReadyView {
        v: 1,
        ready: report.is_ready(),
        storage: report.storage.is_ok(),
        rows: report.rows.is_ok(),
    };
    let status = if view.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}
