//! Authentication and authorization middleware: finds the principal from the request's credentials and applies the route
//! permissions. `Host` and `Origin` are checked before, in `http::host_check`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use vega_domain::access::AccessKey;
use vega_domain::consumer::AccessPath;
use vega_domain::ids::ApiName;
use vega_domain::secret::SessionSecret;
use vega_listening::{LocalCaller, Peer};

use crate::auth::local_access::LocalPrincipal;
use crate::auth::principal::Principal;
use crate::auth::route_permissions::{self, Access};
use crate::http::host_check;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::ProblemCode;

/// The session cookie, and the header with the session's second secret, which only the page that opened the session knows.
pub(crate) const SESSION_COOKIE: &str = "vega_session";
/// The same where browsers come over TLS: by this prefix they take it of that host alone, and over TLS alone.
pub(crate) const SESSION_COOKIE_OVER_TLS: &str = "__Host-vega_session";
pub(crate) const SESSION_HEADER: &str = "x-vega-session";
/// The console marks calls that no operator made: they do not keep the session open.
const UNATTENDED: header::HeaderName = header::HeaderName::from_static("x-vega-unattended");
/// Limits how fast keys, sessions and links can be guessed.
pub(crate) const BAD_CREDENTIAL_DELAY: Duration = Duration::from_millis(300);

/// The name of the session cookie for whoever sends these headers.
pub(crate) fn session_cookie(server: &Server, headers: &HeaderMap) -> &'static str {
    if host_check::is_over_tls(server, headers) {
        SESSION_COOKIE_OVER_TLS
    } else {
        SESSION_COOKIE
    }
}

/// Refuses principals that the route permissions do not let in; hands the others to the handler.
pub(crate) async fn require_scope(
    State(server): State<Arc<Server>>,
    path: MatchedPath,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(route) = route_permissions::find(request.method(), path.as_str()) else {
        tracing::error!(path = path.as_str(), "a route is not in the list of permissions");
        return Problem::new(ProblemCode::Unexpected, "This path is shut.").into_response();
    };
    let Ok(params) = params else {
        return Problem::new(ProblemCode::BadRequest, "The path is not UTF-8.").into_response();
    };
    if route.access == Access::Public {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().cloned();
    let caller = peer.as_ref().and_then(Peer::caller);
    let access_path = access_path(caller);
    let principal = match authenticate(&server, request.headers(), caller).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    if let Some(peer) = &peer {
        peer.is_known_now();
    }
    if let Some(stopped) = principal.stopped(&server.vega) {
        server.audit_refusal(format!("{} is stopped by the operator", principal.name()));
        return stopped.into_response();
    }
    let api = params.iter().find(|(name, _)| *name == "api");
    let api = api.and_then(|(_, api)| ApiName::new(api).ok());
    if !route.access.lets_in(&principal, api.as_ref()) {
        server.audit_refusal(format!(
            "{} lacks the scope for {} {}",
            principal.name(),
            request.method(),
            path.as_str()
        ));
        let scopes = route.access.scopes(api.as_ref());
        return principal.not_allowed(&scopes).into_response();
    }
    let consumer = principal.consumer(request.headers(), access_path);
    request.extensions_mut().insert(consumer);
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// A database that was replaced knows no credentials: the answer says that, rather than that they are wrong.
async fn check_database_counts(server: &Server) -> Result<(), Problem> {
    match server.vega.maintenance.mistrust().await {
        Ok(Some(mistrust)) => Err(Problem::new(ProblemCode::Storage, mistrust)),
        _ => Ok(()),
    }
}

/// The access key that a request with these headers presents, if it counts now.
pub(crate) fn key_that_counts(server: &Server, headers: &HeaderMap) -> Option<Arc<AccessKey>> {
    server
        .vega
        .access
        .key(bearer(headers.get(header::AUTHORIZATION)?)?)
}

/// The key in an `Authorization`.
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// The way by which a caller came in.
pub(crate) fn access_path(caller: Option<&LocalCaller>) -> AccessPath {
    match caller {
        Some(_) => AccessPath::Socket,
        None => AccessPath::Http,
    }
}

/// Who a caller at the local socket is, if it may do anything there.
pub(crate) fn local(server: &Server, caller: Option<&LocalCaller>) -> Option<Principal> {
    let rules = &server.vega.settings.socket.rules;
    LocalPrincipal::of(caller?, rules, server.machine.as_deref()).map(Principal::Local)
}

/// Finds the principal that these headers prove, or the kernel where the call came through the local socket.
async fn authenticate(
    server: &Server,
    headers: &HeaderMap,
    caller: Option<&LocalCaller>,
) -> Result<Principal, Problem> {
    let access = &server.vega.access;
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let Some(presented) = bearer(value) else {
            server.audit_refusal("its Authorization held no access key");
            let words = "Send the access key as `Authorization: Bearer …`.";
            return Err(Problem::new(ProblemCode::NotSignedIn, words));
        };
        if let Some(key) = access.key(presented) {
            return Ok(Principal::Key(key));
        }
        tokio::time::sleep(BAD_CREDENTIAL_DELAY).await;
        // A key that was added just now is known by then.
        if let Some(key) = access.key(presented) {
            return Ok(Principal::Key(key));
        }
        check_database_counts(server).await?;
        server.audit_refusal("its access key was not known, revoked or expired");
        let words =
            "This access key is not known, revoked or expired. `vega key list` shows those that count.";
        return Err(Problem::new(ProblemCode::NotSignedIn, words));
    }
    if let Some(cookie) = CookieJar::from_headers(headers).get(session_cookie(server, headers)) {
        let second = headers
            .get(SESSION_HEADER)
            .and_then(|second| second.to_str().ok());
        // The cookie alone opens nothing: other ports of this host get it, too.
        let secret = SessionSecret::of_parts(cookie.value(), second.unwrap_or_default());
        let session = if headers.contains_key(&UNATTENDED) {
            access.unused_session(secret.expose()).await?
        } else {
            access.session(secret.expose()).await?
        };
        if let Some(session) = session {
            return Ok(Principal::Console(session, secret));
        }
        tokio::time::sleep(BAD_CREDENTIAL_DELAY).await;
        check_database_counts(server).await?;
        server.audit_refusal("its console session was over, or never was");
        let words = "The console's session is over. Run `vega console` and open the link that it prints.";
        return Err(Problem::new(ProblemCode::NotSignedIn, words));
    }
    if let Some(local) = local(server, caller) {
        return Ok(local);
    }
    // No credentials is no attempt, so it is not recorded.
    let words = "Send an access key (`Authorization: Bearer …`, made with `vega key add`), or open the console with the \
                 link that `vega console` prints.";
    Err(Problem::new(ProblemCode::NotSignedIn, words))
}
