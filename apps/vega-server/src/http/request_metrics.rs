//! Middleware: measures and logs requests by route, never by address, which may hold a code.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::Histogram;
use tokio::time::Instant;
use tower_http::request_id::RequestId;

/// Counts requests and their duration by route.
pub(crate) async fn measure(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let path = path.as_ref().map_or("none", MatchedPath::as_str);
    let id = id.as_ref().map(RequestId::header_value);
    log(id, &method, path, response.status());
    histogram(&method, path, response.status()).record(began.elapsed());
    response
}

/// How long requests of one route took that were answered so.
pub(crate) fn histogram(method: &Method, path: &str, status: StatusCode) -> Histogram {
    let labels = [
        ("method", method_label(method).to_owned()),
        ("path", path.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!("vega_request_seconds", &labels)
}

/// Logs a request that was answered so.
pub(crate) fn log(id: Option<&HeaderValue>, method: &Method, path: &str, status: StatusCode) {
    let id = id.and_then(|id| id.to_str().ok());
    let (method, code) = (method_label(method), status.as_str());
    if status.is_server_error() {
        tracing::warn!(id, method, path, status = code, "a request failed");
    } else {
        tracing::debug!(id, method, path, status = code, "a request");
    }
}

/// Unknown methods share one label: a label that callers choose would grow the metrics without end.
fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::DELETE => method.as_str(),
        _ => "other",
    }
}
