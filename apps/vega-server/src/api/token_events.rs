//! `GET /apis/{api}/events`: how the token of one API stands, at once and whenever that changes, for programs that use it. It comes from
//! the hot registry, as the token does, so it goes on while the database is away. A reader that is slow gets the newest state
//! and not each one between.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::FutureExt as _;
use futures_util::stream::{self, Stream, StreamExt};
use vega_api_types::{ProblemCode, ProblemView, StreamEndView, TokenStateView, TokenStreamEvent};
use vega_domain::consumer::Consumer;
use vega_domain::ids::ApiName;

use crate::api::apis::{known_api, why_no_longer};
use crate::api::events::{HEARTBEAT, UNBUFFERED, over};
use crate::auth::principal::Principal;
use crate::http::error_responses::ErrorResponses;
use crate::http::problem::Problem;
use crate::server::Server;

/// How the token of one API stands, as server-sent events: one `token` event at once, and one whenever it changes; `end` where the
/// server ends it. None holds the token: get that from `/api/v1/apis/{api}/token`.
#[utoipa::path(get, path = "/api/v1/apis/{api}/events", operation_id = "tokenEvents", tag = "events",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters")),
    responses((status = 200, description = "The stream: an event after the other", body = TokenStreamEvent, content_type = "text/event-stream"),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn token_events(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Extension(consumer): Extension<Option<Consumer>>,
    Path(name): Path<String>,
) -> Result<
    (
        [(HeaderName, &'static str); 2],
        Sse<impl Stream<Item = Result<Event, Infallible>>>,
    ),
    Problem,
> {
    let api = known_api(&server, name)?;
    let permit = server.token_stream_limits.acquire(&principal);
    let permit = permit.map_err(|words| Problem::new(ProblemCode::TooManyStreams, words))?;
    let connection = consumer.map(|consumer| server.vega.consumers.connects(consumer, &api));
    let over = over(Arc::clone(&server), principal).shared();
    let stream = states(server, api)
        .map(TokenStreamEvent::Token)
        .take_until(over.clone())
        .chain(stream::once(over).map(|over| TokenStreamEvent::End(end(over.view()))))
        .map(move |event| {
            let _held = (&permit, &connection);
            Ok(written(&event))
        });
    Ok((
        UNBUFFERED,
        Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)),
    ))
}

fn end(problem: &ProblemView) -> StreamEndView {
    StreamEndView {
        v: 1,
        code: problem.code,
        detail: problem.detail.clone(),
    }
}

fn written(event: &TokenStreamEvent) -> Event {
    let (name, data) = name_and_data(event);
    Event::default().event(name).data(data)
}

pub(crate) fn name_and_data(event: &TokenStreamEvent) -> (&'static str, String) {
    let (name, data) = match event {
        TokenStreamEvent::Token(state) => ("token", serde_json::to_string(state)),
        TokenStreamEvent::End(end) => ("end", serde_json::to_string(end)),
    };
    (name, data.unwrap_or_default())
}

/// How the token of this API stands now, and then each time that it, or the cause why there is none, is another.
fn states(server: Arc<Server>, api: ApiName) -> impl Stream<Item = TokenStateView> {
    let tokens = server.vega.registry.subscribe();
    let causes = server.dashboard.changes();
    let told: Option<TokenStateView> = None;
    stream::unfold(
        (server, api, tokens, causes, told),
        async |(server, api, mut tokens, mut causes, told)| {
            loop {
                // Before the look, so that no change falls between the two.
                tokens.borrow_and_update();
                causes.borrow_and_update();
                let state = look(&server, &api);
                if told.as_ref() != Some(&state) {
                    return Some((state.clone(), (server, api, tokens, causes, Some(state))));
                }
                // Both live as long as the server.
                tokio::select! {
                    _ = tokens.changed() => {}
                    _ = causes.changed() => {}
                }
            }
        },
    )
}

fn look(server: &Server, api: &ApiName) -> TokenStateView {
    let registry = &server.vega.registry;
    let there = registry.read(api, |hot| TokenStateView::with(hot.token(), hot.version()));
    there.unwrap_or_else(|| {
        let cause = why_no_longer(server, api);
        TokenStateView::without(api.as_str(), cause.as_ref().map(Problem::view))
    })
}
