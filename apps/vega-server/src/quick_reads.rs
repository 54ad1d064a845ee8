//! Token reads at full speed: a plain read that every check lets through is answered before the router. It refuses nothing and
//! words nothing: whatever is not plain, or does not pass, goes the whole way through `routes`. The checks are the functions
//! that the middleware there asks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::body::HttpBody;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use metrics::Histogram;
use tokio::time::Instant;
use vega_domain::access::Scope;
use vega_domain::ids::ApiName;
use vega_listening::Peer;

use crate::api::apis;
use crate::auth::middleware::{access_path, key_that_counts, local};
use crate::auth::principal::Principal;
use crate::http::{host_check, redirects, request_metrics, response_headers};
use crate::server::Server;

const METHOD: Method = Method::GET;
const ROUTE: &str = "/api/v1/apis/{api}/token";

/// The short way.
pub(crate) struct QuickReads(Reads);

struct Reads {
    server: Arc<Server>,
    /// How long answers took, by what they said.
    whole: Histogram,
    not_modified: Histogram,
}

impl QuickReads {
    /// To be made when the metrics are set up.
    pub(crate) fn new(server: Arc<Server>) -> Self {
        let histogram = |status| request_metrics::histogram(&METHOD, ROUTE, status);
        Self(Reads {
            server,
            whole: histogram(StatusCode::OK),
            not_modified: histogram(StatusCode::NOT_MODIFIED),
        })
    }

    /// The answer, if the request is a plain read that every check lets through.
    pub(crate) fn answer<B: HttpBody>(&self, request: &Request<B>, peer: &Peer) -> Option<Response> {
        // What panics here panics again behind the router, where that is answered.
        let answer = catch_unwind(AssertUnwindSafe(|| self.0.answer(request, peer)));
        answer.ok().flatten()
    }
}

impl Reads {
    /// The token, or that the program has it already, if nothing speaks against it.
    fn answer<B: HttpBody>(&self, request: &Request<B>, peer: &Peer) -> Option<Response> {
        let began = Instant::now();
        let (server, uri, headers) = (&*self.server, request.uri(), request.headers());
        let is_plain = *request.method() == METHOD && uri.query().is_none() && request.body().is_end_stream();
        if !is_plain {
            return None;
        }
        let api = api_of(uri.path())?;
        let is_let_through = host_check::is_for_us(&server.allowed_hosts, Some(peer), uri, headers)
            && !redirects::is_redirect(server, uri)
            && host_check::cross_site(server, &METHOD, headers).is_none();
        if !is_let_through {
            return None;
        }
        let principal = match key_that_counts(server, headers) {
            Some(key) => Principal::Key(key),
            // What a session or a wrong key may do is said behind the router.
            None if headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE) => return None,
            None => local(server, peer.caller())?,
        };
        // Without a query it is the API's own token that is asked for.
        if !principal.may(&Scope::Token(api.clone())) || principal.stopped(&server.vega).is_some() {
            return None;
        }
        let (answer, has) = server.vega.registry.read(&api, |hot| {
            (apis::answer(server, &api, hot, headers), hot.token().generation)
        })?;
        if let Some(consumer) = principal.consumer(headers, access_path(peer.caller())) {
            server.vega.consumers.saw(consumer, &api, Some(has));
        }
        peer.is_known_now();
        Some(self.finish(request, answer, began))
    }

    /// What the common layers of the router do.
    fn finish<B>(&self, request: &Request<B>, answer: Response, began: Instant) -> Response {
        let mut answer = response_headers::complete(answer);
        let id = response_headers::id_of(request);
        request_metrics::log(id.as_ref(), &METHOD, ROUTE, answer.status());
        if let Some(id) = id {
            answer.headers_mut().insert(&response_headers::REQUEST_ID, id);
        }
        let took = match answer.status() {
            StatusCode::NOT_MODIFIED => &self.not_modified,
            _ => &self.whole,
        };
        took.record(began.elapsed());
        answer
    }
}

/// The API whose token has this path, written plainly.
fn api_of(path: &str) -> Option<ApiName> {
    let (before, after) = ROUTE.split_once("{api}")?;
    ApiName::new(path.strip_prefix(before)?.strip_suffix(after)?).ok()
}
