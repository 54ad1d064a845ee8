//! What is answered while the server starts and waits for its database: that it lives, and to everything else that it is not ready.
//! Nothing here is secret and nothing needs the database or the key, so a challenge is not answered: nothing is proven before.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use vega_api_types::{LiveView, ProblemCode, ReadyView, TokensReadyView};
use vega_listening::Peer;

use crate::api::health::Live;
use crate::http::allowed_hosts::AllowedHosts;
use crate::http::extract::QueryParams;
use crate::http::host_check;
use crate::http::problem::{Problem, retry_after};
use crate::routes::with_common_layers;

/// Seconds. The database is tried again each second.
const RETRY_AFTER: u64 = 2;

/// The router until the server's own is there.
pub(crate) fn router(allowed_hosts: Arc<AllowedHosts>) -> Router {
    let all = Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/readyz/tokens", get(tokens_ready))
        .fallback(async || not_yet())
        .method_not_allowed_fallback(async || not_yet())
        .layer(from_fn_with_state(allowed_hosts, require_allowed_host));
    with_common_layers(all)
}

fn not_yet() -> Problem {
    let words = "This server was started and waits for its database; its log says why. It goes on by itself as soon as the \
                 database answers: try again then.";
    Problem::new(ProblemCode::Starting, words).after(RETRY_AFTER)
}

async fn live(QueryParams(wanted): QueryParams<Live>) -> Result<Json<LiveView>, Problem> {
    wanted.answer(|_| None)
}

async fn ready() -> Response {
    unavailable(ReadyView {
        v: 1,
        ready: false,
        storage: false,
        rows: false,
    })
}

async fn tokens_ready() -> Response {
    unavailable(TokensReadyView {
        v: 1,
        ready: false,
        stale_for_seconds: None,
    })
}

fn unavailable(view: impl serde::Serialize) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [retry_after(RETRY_AFTER)],
        Json(view),
    )
        .into_response()
}

/// As `host_check` does, without a record: there is no audit trail yet.
async fn require_allowed_host(
    State(allowed): State<Arc<AllowedHosts>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    if host_check::is_for_us(&allowed, peer, request.uri(), request.headers()) {
        next.run(request).await
    } else {
        host_check::wrong_host().into_response()
    }
}
