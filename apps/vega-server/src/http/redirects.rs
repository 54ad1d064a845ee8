//! Where Upstox sends browsers back. That path is the operator's choice, not ours: it may be one that the server has for
//! something else, `/` above all. So it is looked at before routing. What a redirect carries is read elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::server::Server;

/// The routes of the redirect URIs that lead to this server.
#[derive(Clone)]
pub(crate) struct Redirects {
    server: Arc<Server>,
    routes: Router,
}

impl Redirects {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            routes: server.vega.callbacks(),
        }
    }
}

/// Takes what comes to a redirect URI; the rest goes on.
pub(crate) async fn come_first(State(redirects): State<Redirects>, request: Request, next: Next) -> Response {
    let (path, carries) = (request.uri().path(), request.uri().query().is_some());
    // Without anything to bring, the console is meant.
    let is_page = path == "/" && !carries;
    if !is_page && redirects.server.names.takes_redirects_at(path) {
        return redirects.routes.oneshot(request).await.into_response();
    }
    next.run(request).await
}
