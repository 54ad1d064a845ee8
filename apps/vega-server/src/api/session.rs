//! `/session`: the console's session. A one-time link opens it; it needs both a cookie that no script can read and a
//! secret that only the page has which opened it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use vega_domain::access::{SESSION_IDLE, SESSION_LIFE};
use vega_domain::expiry::rfc3339_ist;
use vega_listening::Peer;

use crate::auth::middleware::{BAD_CREDENTIAL_DELAY, session_cookie};
use crate::auth::principal::Principal;
use crate::http::error_responses::{BodyErrorResponses, ErrorResponses};
use crate::http::extract::Body;
use crate::http::host_check;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{LinkBody, OpenedView, ProblemCode, SessionView};

/// Over TLS no other name and no page in plain text can set it, nor read it.
fn cookie(server: &Server, headers: &HeaderMap, value: String) -> Cookie<'static> {
    Cookie::build((session_cookie(server, headers), value))
        .path("/")
        .http_only(true)
        .secure(host_check::is_over_tls(server, headers))
        .same_site(SameSite::Strict)
        .build()
}

/// Opens the console's session with a one-time link.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "openSession", security(()), tag = "session", request_body = LinkBody,
    responses((status = 200, description = "It is open; its cookie is set", body = OpenedView), ErrorResponses, BodyErrorResponses))]
pub(crate) async fn open(
    State(server): State<Arc<Server>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    jar: CookieJar,
    Body(body): Body<LinkBody>,
) -> Result<(CookieJar, Json<OpenedView>), Problem> {
    if let Some(secret) = server.vega.access.open_session(&body.code).await? {
        if let Some(Extension(peer)) = peer {
            peer.is_known_now();
        }
        let (in_cookie, in_page) = secret.parts();
        let opened = OpenedView {
            v: 1,
            secret: in_page.to_owned(),
        };
        let cookie = cookie(&server, &headers, in_cookie.to_owned());
        return Ok((jar.add(cookie), Json(opened)));
    }
    tokio::time::sleep(BAD_CREDENTIAL_DELAY).await;
    server.audit_refusal("its console link was used, too old, or never was");
    let words = "A link works once, and for 60 seconds. Run `vega console` and open the one that it prints.";
    Err(Problem::new(ProblemCode::LinkUsed, words))
}

/// The session that this browser has.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "getSession", tag = "session",
    responses((status = 200, description = "It is open", body = SessionView), ErrorResponses))]
pub(crate) async fn get(Extension(principal): Extension<Principal>) -> Result<Json<SessionView>, Problem> {
    let Principal::Console(session, _) = principal else {
        return Err(Problem::new(ProblemCode::NotAllowed, "A key has no session."));
    };
    let ends_at = session.opened_at + SESSION_LIFE;
    Ok(Json(SessionView {
        v: 1,
        opened_at: rfc3339_ist(session.opened_at),
        ends_at: rfc3339_ist(ends_at),
        ends_at_unix: ends_at.timestamp(),
        idle_seconds: SESSION_IDLE.num_seconds(),
    }))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "endSession", tag = "session",
    responses((status = 204, description = "It has ended"), ErrorResponses))]
pub(crate) async fn end(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<(StatusCode, CookieJar), Problem> {
    if let Principal::Console(_, secret) = &principal {
        server.vega.access.end_session(secret.expose()).await?;
    }
    Ok((
        StatusCode::NO_CONTENT,
        jar.remove(cookie(&server, &headers, String::new())),
    ))
}
