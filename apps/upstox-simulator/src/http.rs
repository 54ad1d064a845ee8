//! The HTTP side: which path belongs to which module, the state they share, and the `Date` of every answer.

mod account;
mod control;
mod cookies;
mod dialog;
mod envelope;
mod exchange;
mod faults;
mod feeds;
mod human;
mod login_api;
mod login_page;
mod market;
mod quotes;
mod shared;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{delete, get, post},
};

use crate::clock;
use envelope::Answer;
use shared::AppState;
pub(crate) use shared::Shared;

/// All paths of the simulator.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v2/login/authorization/dialog", get(dialog::open))
        .route("/v2/login/authorization/token", post(exchange::exchange))
        .route("/v2/user/profile", get(account::profile))
        .route("/v3/market-quote/ltp", get(quotes::last_price))
        .route("/v2/logout", delete(account::log_out))
        .route("/v2/market/holidays", get(market::holidays))
        .route("/v2/market/holidays/{date}", get(market::holiday))
        .route("/v2/market/timings/{date}", get(market::timings))
        .nest(
            "/login",
            login_page::router().nest("/api", login_api::router().merge(human::router())),
        )
        .merge(feeds::router())
        .nest("/_sim", control::router().merge(feeds::control::router()))
        .fallback(|| async { Answer::error("UDAPI100060").into_response() })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), stamp_date))
        .with_state(shared)
}

async fn stamp_date(State(shared): AppState, request: Request, next: Next) -> Response {
    tracing::info!(method = %request.method(), path = request.uri().path(), "request");
    let mut response = next.run(request).await;
    if let Ok(date) = HeaderValue::from_str(&clock::http_date(shared.now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}
