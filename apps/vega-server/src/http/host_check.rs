//! Middleware: refuses requests whose `Host` or `Origin` is not this server's, before they reach a handler. Which hosts
//! those are is decided in `allowed_hosts`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use vega_listening::Peer;

use crate::http::allowed_hosts::AllowedHosts;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::ProblemCode;

/// As `curl --unix-socket` is given a URL.
const LOCAL_HOST: &str = "localhost";

/// Refuses a request for another host. It runs before routing.
pub(crate) async fn require_allowed_host(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    if is_for_us(&server.allowed_hosts, peer, request.uri(), request.headers()) {
        next.run(request).await
    } else {
        server.audit_refusal("its Host was not one of this server");
        wrong_host().into_response()
    }
}

/// The answer to a request for another host.
pub(crate) fn wrong_host() -> Problem {
    let words = "Call this server by the address that it printed: 127.0.0.1 or localhost with its port, or its public name \
                 (VEGA__SERVER__PUBLIC_URL).";
    Problem::new(ProblemCode::WrongHost, words)
}

/// Whether the request is for this server, by its only `Host`. No browser comes to the local socket, so what programs write there is
/// `localhost`, with no port.
pub(crate) fn is_for_us(allowed: &AllowedHosts, peer: Option<&Peer>, uri: &Uri, headers: &HeaderMap) -> bool {
    let is_local = peer.is_some_and(|peer| peer.caller().is_some());
    let has = |host: &str| allowed.has_host(host) || is_local && host.eq_ignore_ascii_case(LOCAL_HOST);
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    // An absolute-form target must agree with the header.
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    host.is_some_and(has) && authority.is_none_or(has)
}

/// Whether a browser that sent these headers came over TLS, by the name that it used.
pub(crate) fn is_over_tls(server: &Server, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| server.allowed_hosts.is_over_tls(host))
}

/// Refuses requests that pages of other sites send. Redirect URIs and the console's pages are exempt: requests for them come
/// from other sites by nature.
pub(crate) async fn require_same_origin(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    match cross_site(&server, request.method(), request.headers()) {
        Some(words) => {
            server.audit_refusal("a page of another site sent it");
            Problem::new(ProblemCode::CrossSite, words).into_response()
        }
        None => next.run(request).await,
    }
}

/// Why the request counts as one of another site, if it does.
pub(crate) fn cross_site(server: &Server, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let is_write = !matches!(*method, Method::GET | Method::HEAD);
    // No browser sends one of these twice.
    let text = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        Some(value.filter(|_| values.next().is_none()).unwrap_or("?"))
    };
    if let Some(origin) = text(header::ORIGIN)
        && !server.allowed_hosts.has_origin(origin)
    {
        return Some("The Origin is not this server.");
    }
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin") => return None,
        // Typed into the address bar: reads only.
        Some("none") if !is_write => return None,
        Some(_) => return Some("A page of another site sent this (Sec-Fetch-Site)."),
        None => {}
    }
    // Programs send neither. A browser sends its Origin with every write, so a cookie without one is not the console's.
    let has_cookie = headers.contains_key(header::COOKIE);
    let is_foreign = is_write && has_cookie && text(header::ORIGIN).is_none();
    is_foreign.then_some("A session's writes come from the console's own pages.")
}
