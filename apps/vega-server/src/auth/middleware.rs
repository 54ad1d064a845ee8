//! What stands before every route: the `Host` list before routing, no other site's requests, then who calls and whether the
//! table of doors lets them in.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use vega_domain::access::{AccessKey, ConsoleSession};
use vega_domain::ids::ApiName;
use vega_domain::secret::SessionSecret;
use vega_listening::Visitor;

use crate::auth::route_permissions::{self, Who};
use crate::http::problem::{Code, Problem};
use crate::server::Server;

/// The session's cookie, and the header with its second secret, which no page but the console's knows.
pub(crate) const COOKIE: &str = "vega_session";
pub(crate) const SECOND: &str = "x-vega-session";
/// Who guesses keys, sessions or links gets so few guesses.
pub(crate) const AFTER_A_BAD_KEY: Duration = Duration::from_millis(300);

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Key(Arc<AccessKey>),
    Console(ConsoleSession, SessionSecret),
}

impl Caller {
    /// The same in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Key(key) => format!("access key {}", key.name),
            Self::Console(..) => "the console".into(),
        }
    }
}

/// Refuses what is not meant for this server, before anything is routed.
pub(crate) async fn only_by_name(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    // A target with a host of its own must agree.
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let is_ours = host.is_some_and(|host| server.names.has_host(host))
        && authority.is_none_or(|name| server.names.has_host(name));
    if is_ours {
        next.run(request).await
    } else {
        server.refused("its Host was not one of this server");
        let words = "Call this server by the address that it printed: 127.0.0.1 or localhost, with its port.";
        Problem::new(Code::WrongHost, words).into_response()
    }
}

/// Refuses what a page of another site sends. Where a redirect comes back and where pages are loaded, it comes from
/// another site by its nature.
pub(crate) async fn only_own_site(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    match cross_site(&server, request.method(), request.headers()) {
        Some(words) => {
            server.refused("a page of another site sent it");
            Problem::new(Code::CrossSite, words).into_response()
        }
        None => next.run(request).await,
    }
}

/// Why this comes from another site, if it does.
fn cross_site(server: &Server, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let is_write = !matches!(*method, Method::GET | Method::HEAD);
    // What is there twice is none of a browser's.
    let text = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        Some(value.filter(|_| values.next().is_none()).unwrap_or("?"))
    };
    if let Some(origin) = text(header::ORIGIN)
        && !server.names.has_origin(origin)
    {
        return Some("The Origin is not this server.");
    }
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin") => return None,
        // Typed by the human: reads only.
        Some("none") if !is_write => return None,
        Some(_) => return Some("A page of another site sent this (Sec-Fetch-Site)."),
        None => {}
    }
    // Programs send neither. A browser sends its Origin with every write, so a cookie without one is not the console's.
    let has_cookie = headers.contains_key(header::COOKIE);
    let is_foreign = is_write && has_cookie && text(header::ORIGIN).is_none();
    is_foreign.then_some("A session's writes come from the console's own pages.")
}

/// Lets through whom the table of doors lets through, and tells the handler who it is.
pub(crate) async fn only_who_may(
    State(server): State<Arc<Server>>,
    path: MatchedPath,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(door) = route_permissions::at(request.method(), path.as_str()) else {
        tracing::error!(path = path.as_str(), "a route has no door");
        return Problem::new(Code::Unexpected, "This path is shut.").into_response();
    };
    let Ok(params) = params else {
        return Problem::new(Code::BadRequest, "The path is not UTF-8.").into_response();
    };
    let Who::These { keys, console } = door.who else {
        return next.run(request).await;
    };
    let caller = match caller(&server, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Some(visitor) = request.extensions().get::<Visitor>() {
        visitor.is_known_now();
    }
    let may = match &caller {
        Caller::Key(key) => {
            let api = params.iter().find(|(name, _)| *name == "api");
            let api = api.and_then(|(_, api)| ApiName::new(api).ok());
            keys.iter().any(|need| need.is_met_by(key, api.as_ref()))
        }
        Caller::Console(..) => console,
    };
    if !may {
        server.refused(format!(
            "{} lacks the scope for {} {}",
            caller.words(),
            request.method(),
            path.as_str()
        ));
        let words = match &caller {
            Caller::Key(key) => format!(
                "The access key {} lacks the scope for this. `vega key add` makes one that has it.",
                key.name
            ),
            Caller::Console(..) => "The console may not do this; a program with an access key may.".into(),
        };
        return Problem::new(Code::NotAllowed, words).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The console's mark on a call that no human made: it does not keep the session open.
const UNATTENDED: header::HeaderName = header::HeaderName::from_static("x-vega-unattended");

/// In a database that does not count nobody is known, and that is told as what it is.
async fn refuse_in_doubt(server: &Server) -> Result<(), Problem> {
    match server.vega.doubt().await {
        Ok(Some(doubt)) => Err(Problem::new(Code::Storage, doubt)),
        _ => Ok(()),
    }
}

/// Who sends these headers.
async fn caller(server: &Server, headers: &HeaderMap) -> Result<Caller, Problem> {
    let access = &server.vega.access;
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let presented = value.to_str().ok().and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        let Some(presented) = presented else {
            server.refused("its Authorization held no access key");
            let words = "Send the access key as `Authorization: Bearer …`.";
            return Err(Problem::new(Code::NotSignedIn, words));
        };
        if let Some(key) = access.key(presented) {
            return Ok(Caller::Key(key));
        }
        tokio::time::sleep(AFTER_A_BAD_KEY).await;
        // One that was made just now is known by then.
        if let Some(key) = access.key(presented) {
            return Ok(Caller::Key(key));
        }
        refuse_in_doubt(server).await?;
        server.refused("its access key was not known, revoked or expired");
        let words =
            "This access key is not known, revoked or expired. `vega key list` shows those that count.";
        return Err(Problem::new(Code::NotSignedIn, words));
    }
    if let Some(cookie) = CookieJar::from_headers(headers).get(COOKIE) {
        let second = headers.get(SECOND).and_then(|second| second.to_str().ok());
        // Without it there is no session, whatever the cookie is: another port of this host has that too.
        let secret = SessionSecret::of_parts(cookie.value(), second.unwrap_or_default());
        let session = if headers.contains_key(&UNATTENDED) {
            access.unused_session(secret.expose()).await?
        } else {
            access.session(secret.expose()).await?
        };
        if let Some(session) = session {
            return Ok(Caller::Console(session, secret));
        }
        tokio::time::sleep(AFTER_A_BAD_KEY).await;
        refuse_in_doubt(server).await?;
        server.refused("its console session was over, or never was");
        let words = "The console's session is over. Run `vega console` and open the link that it prints.";
        return Err(Problem::new(Code::NotSignedIn, words));
    }
    // Whoever shows nothing tried nothing, and leaves nothing on disk.
    let words = "Send an access key (`Authorization: Bearer …`, made with `vega key add`), or open the console with the \
                 link that `vega console` prints.";
    Err(Problem::new(Code::NotSignedIn, words))
}
