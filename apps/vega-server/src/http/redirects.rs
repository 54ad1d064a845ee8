//! Middleware for redirect URIs that lead to this server. Operators choose their paths, which may equal paths of the
//! server's own, such as `/`, so they are matched before routing. What a redirect carries is read by the own-browser
//! adapter.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use vega_bootstrap::{CalledOver, Scheme};

use crate::http::host_check;
use crate::server::Server;

/// The handler of redirects.
#[derive(Clone)]
pub(crate) struct RedirectRoutes {
    server: Arc<Server>,
    routes: Router,
}

impl RedirectRoutes {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            routes: server.vega.callbacks(),
        }
    }
}

/// Answers requests for a redirect URI; passes on all others.
pub(crate) async fn serve_redirects_first(
    State(redirects): State<RedirectRoutes>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_redirect(&redirects.server, request.uri()) {
        let scheme = if host_check::is_over_tls(&redirects.server, request.headers()) {
            Scheme::Https
        } else {
            Scheme::Http
        };
        request.extensions_mut().insert(CalledOver(scheme));
        return redirects.routes.oneshot(request).await.into_response();
    }
    next.run(request).await
}

/// Whether a request for this is the end of a sign-in.
pub(crate) fn is_redirect(server: &Server, uri: &Uri) -> bool {
    let (path, carries) = (uri.path(), uri.query().is_some());
    // Without a query it is a request for the console.
    let is_page = path == "/" && !carries;
    !is_page && server.allowed_hosts.takes_redirects_at(path)
}
