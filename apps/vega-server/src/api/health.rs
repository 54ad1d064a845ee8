//! Health checks: whether the server lives, and whether it can do its work.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use vega_listening::{CHALLENGE, CalledAt};

use crate::http::extract::QueryParams;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{LiveView, ProblemCode, ProblemView, ReadyView, TokensReadyView};

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
        (status = 400, description = "The challenge is none", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 421, description = "The `Host` is not one of this server", body = ProblemView,
            content_type = "application/problem+json")))]
pub(crate) async fn live(
    State(server): State<Arc<Server>>,
    called: Option<Extension<CalledAt>>,
    QueryParams(wanted): QueryParams<Live>,
) -> Result<Json<LiveView>, Problem> {
    wanted.answer(|challenge| {
        // For the address of this connection: a program that relays the proof gains nothing.
        let Extension(CalledAt(address)) = called?;
        Some(server.vega.prove_listener(challenge, &address))
    })
}

impl Live {
    /// The answer, with what `prove` says to the challenge if there is one.
    pub(crate) fn answer(
        self,
        prove: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Json<LiveView>, Problem> {
        if self.challenge.as_ref().is_some_and(|text| !is_challenge(text)) {
            let words = "A challenge has 16 to 64 letters, digits, `-` and `_`.";
            return Err(Problem::new(ProblemCode::BadRequest, words));
        }
        let proof = self.challenge.as_deref().and_then(prove);
        Ok(Json(LiveView {
            v: 1,
            program: "vega-server",
            version: env!("CARGO_PKG_VERSION"),
            proof,
        }))
    }
}

fn is_challenge(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    CHALLENGE.contains(&text.len()) && text.chars().all(is_plain)
}

/// Whether the server can do its work.
#[utoipa::path(get, path = "/readyz", operation_id = "isReady", security(()), tag = "health",
    responses((status = 200, description = "It can", body = ReadyView), (status = 503, description = "It cannot", body = ReadyView),
        (status = 421, description = "The `Host` is not one of this server", body = ProblemView,
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

/// Whether programs get tokens here, from memory: also while the database is away, when runs cannot begin. A proxy before several
/// servers asks this one.
#[utoipa::path(get, path = "/readyz/tokens", operation_id = "areTokensReady", security(()), tag = "health",
    responses((status = 200, description = "They do", body = TokensReadyView), (status = 503, description = "They do not", body = TokensReadyView),
        (status = 421, description = "The `Host` is not one of this server", body = ProblemView,
            content_type = "application/problem+json")))]
pub(crate) async fn tokens_ready(State(server): State<Arc<Server>>) -> Response {
    let ready = !server.requests.is_closed() && server.readiness.serves_tokens(&server.vega).await;
    let view = TokensReadyView {
        v: 1,
        ready,
        stale_for_seconds: server.vega.registry.stale_for().map(|time| time.as_secs()),
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}
