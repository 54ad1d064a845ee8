//! Middleware: measures and logs requests by route, never by address, which may hold a code.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tower_http::request_id::RequestId;

/// Counts requests and their duration by route.
pub(crate) async fn measure(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = method_label(request.method()).to_owned();
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

/// Unknown methods share one label: a label that callers choose would grow the metrics without end.
fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::DELETE => method.as_str(),
        _ => "other",
    }
}
