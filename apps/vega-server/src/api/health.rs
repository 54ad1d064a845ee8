//! Whether the server lives, whether it can do its work, and figures of both in Prometheus' text.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tower_http::request_id::RequestId;
use utoipa::{IntoParams, ToSchema};
use vega_bootstrap::{RowFaults, RowScope};
use vega_listening::{CHALLENGE, CalledAt};

use crate::http::error_responses::Refused;
use crate::http::extract::Asked;
use crate::http::problem::{Code, Problem};
use crate::server::Server;
use crate::views::codes::TokenStatus;

/// How long a proof counts.
const PROVEN_FOR: Duration = Duration::from_secs(5);

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
        (status = 400, description = "The challenge is none", body = crate::http::problem::Problem,
            content_type = "application/problem+json"),
        (status = 421, description = "The `Host` is not one of this server", body = crate::http::problem::Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn live(
    State(server): State<Arc<Server>>,
    called: Option<Extension<CalledAt>>,
    Asked(wanted): Asked<Live>,
) -> Result<Json<LiveView>, Problem> {
    let proof = match (wanted.challenge, called) {
        (Some(challenge), _) if !is_challenge(&challenge) => {
            let words = "A challenge has 16 to 64 letters, digits, `-` and `_`.";
            return Err(Problem::new(Code::BadRequest, words));
        }
        // For the address of this very connection: passed on by another program, it is worth nothing.
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
        (status = 421, description = "The `Host` is not one of this server", body = crate::http::problem::Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let proof = prove(&server).await;
    let view = ReadyView {
        v: 1,
        ready: proof.is_ready(),
        storage: proof.storage.is_ok(),
        rows: proof.rows.is_ok(),
    };
    let status = if view.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}

/// Whether the server can do its work; errors are in words.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) storage: Result<(), String>,
    pub(crate) rows: Result<(), String>,
}

impl Proof {
    pub(crate) fn is_ready(&self) -> bool {
        self.storage.is_ok() && self.rows.is_ok()
    }
}

/// As it was found within `PROVEN_FOR`: anybody may ask, and each proof is a commit.
pub(crate) async fn prove(server: &Server) -> Proof {
    let mut proven = server.proof.lock().await;
    if let Some((at, proof)) = &*proven
        && at.elapsed() < PROVEN_FOR
    {
        return proof.clone();
    }
    let storage = server.vega.prove_storage().await;
    let storage = match storage.map_err(|error| error.to_string()) {
        Ok(()) => server.vega.missing_checkpoint().await.map_or(Ok(()), Err),
        Err(error) => Err(error),
    };
    let rows = match server.vega.row_faults(RowScope::Deciding).await {
        Ok(faults) if faults.is_none() => Ok(()),
        Ok(faults) => Err(told(&faults)),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = server.vega.record_row_faults().await {
        tracing::warn!(%error, "what does not fit is not on record yet");
    }
    let proof = Proof { storage, rows };
    for error in [&proof.storage, &proof.rows]
        .into_iter()
        .filter_map(|found| found.as_ref().err())
    {
        tracing::warn!(%error, "not ready");
    }
    *proven = Some((Instant::now(), proof.clone()));
    proof
}

/// What does not fit, in words.
fn told(faults: &RowFaults) -> String {
    let rows = faults.rows.iter().map(|row| &*row.words);
    let words: Vec<&str> = faults.database.as_deref().into_iter().chain(rows).collect();
    words.join("; ")
}

/// Figures in Prometheus' text.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "The figures", body = String, content_type = "text/plain"), Refused))]
pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    show(&server);
    server.metrics.run_upkeep();
    let text = server.metrics.render();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

/// Says once what each figure is, for whoever reads them.
pub(crate) fn describe_figures() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("vega_tokens", "APIs by how their token stands.");
    describe_gauge!(
        "vega_token_seconds_to_expiry",
        Unit::Seconds,
        "How long the API's token lives; 0 where none is handed out."
    );
    describe_gauge!(
        "vega_otp_presses_left",
        "Get OTP presses that the account has left in its window."
    );
    describe_gauge!("vega_account_cooling_down", "1 while the account cools down.");
    describe_gauge!(
        "vega_account_stopped",
        "1 until the operator opens the account again."
    );
    describe_gauge!(
        "vega_run_under_way",
        "1 while a run is under way, in whichever process."
    );
    describe_gauge!("vega_event_streams", "Streams of events that are open.");
    describe_histogram!(
        "vega_request_seconds",
        Unit::Seconds,
        "How long requests took, by route and status."
    );
    describe_counter!("vega_runs_ended_total", "Runs that ended, by state.");
    describe_counter!("vega_otp_presses_total", "Get OTP presses that were counted.");
}

/// Sets the figures that are so now.
fn show(server: &Server) {
    let snapshot = server.board.snapshot();
    let now = server.vega.clock.now().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "seconds of a day, and counts")]
    let figure = |number: i64| number as f64;
    for &status in TokenStatus::ALL {
        let count = snapshot.apis.iter().filter(|api| api.status == status).count();
        metrics::gauge!("vega_tokens", "status" => status.as_str())
            .set(figure(i64::try_from(count).unwrap_or(0)));
    }
    for api in &snapshot.apis {
        let left = api
            .valid_until_unix
            .filter(|_| api.servable)
            .map_or(0, |until| until - now);
        metrics::gauge!("vega_token_seconds_to_expiry", "api" => api.api.clone()).set(figure(left.max(0)));
    }
    for account in &snapshot.accounts {
        let name = || account.account.clone();
        let left = account.otp_presses_left;
        metrics::gauge!("vega_otp_presses_left", "account" => name()).set(f64::from(left));
        let cools = u8::from(account.cooldown.is_some());
        metrics::gauge!("vega_account_cooling_down", "account" => name()).set(f64::from(cools));
        let stopped = u8::from(account.stop.is_some());
        metrics::gauge!("vega_account_stopped", "account" => name()).set(f64::from(stopped));
    }
    let under_way = snapshot.run.is_some_and(|run| run.under_way);
    metrics::gauge!("vega_run_under_way").set(f64::from(u8::from(under_way)));
    let open = server.streams.count();
    metrics::gauge!("vega_event_streams").set(figure(i64::try_from(open).unwrap_or(0)));
}

/// Counts requests and how long they take, by route; never by address, which may hold a code.
pub(crate) async fn measured(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = named(request.method()).to_owned();
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let path = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let status = response.status().as_str().to_owned();
    let id = id.as_ref().and_then(|id| id.header_value().to_str().ok());
    if response.status().is_server_error() {
        tracing::warn!(id, method, path, status, "a request failed");
    } else {
        tracing::debug!(id, method, path, status, "a request");
    }
    let labels = [("method", method), ("path", path), ("status", status)];
    metrics::histogram!("vega_request_seconds", &labels).record(began.elapsed());
    response
}

/// Methods that anybody makes up have one name together: each would be a figure of its own, for ever.
fn named(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::DELETE => method.as_str(),
        _ => "other",
    }
}
