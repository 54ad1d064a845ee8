//! The headers that every answer gets: what browsers may do with it, that nobody keeps it, and the request's id.

use axum::http::{HeaderName, HeaderValue, Request, Response, header};
use tower_http::request_id::{MakeRequestId, RequestId};
use uuid::Builder;

/// The console loads nothing from other hosts, runs nothing inline, and is neither framed nor sent elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static OF_EVERY_ANSWER: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ),
];

/// Adds those that the answer does not have.
pub(crate) fn complete<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    // A stream keeps them as long as it lives.
    headers.reserve(OF_EVERY_ANSWER.len() + 2);
    for (name, value) in &OF_EVERY_ANSWER {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// The id that the caller gave the request, or a new one.
pub(crate) fn id_of<B>(request: &Request<B>) -> Option<HeaderValue> {
    let given = request.headers().get(&REQUEST_ID).cloned();
    given.or_else(|| Some(RequestIds.make_request_id(request)?.into_header_value()))
}

/// Makes ids that tell requests apart. They are no secrets, so no system call is made for each.
#[derive(Clone, Copy)]
pub(crate) struct RequestIds;

impl MakeRequestId for RequestIds {
    fn make_request_id<B>(&mut self, _request: &Request<B>) -> Option<RequestId> {
        let id = Builder::from_random_bytes(fastrand::u128(..).to_le_bytes()).into_uuid();
        HeaderValue::from_str(&id.to_string()).ok().map(RequestId::new)
    }
}
