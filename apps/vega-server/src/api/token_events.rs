//! `GET /apis/{api}/events`: how the token of one API stands, at once and whenever that changes, for programs that use it. It comes from
//! the hot registry, as the token does, so it goes on while the database is away. A reader that is slow gets the newest state
//! and not each one between.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use vega_api_types::{ProblemCode, ProblemView, TokenStateView};
use vega_domain::ids::ApiName;
use vega_services::HotTokenRegistry;

use crate::api::apis::known_api;
use crate::api::events::{HEARTBEAT, UNBUFFERED, over};
use crate::auth::principal::Principal;
use crate::http::error_responses::ErrorResponses;
use crate::http::problem::Problem;
use crate::server::Server;

/// How the token of one API stands, as server-sent events: one `token` event at once, and one whenever it changes. None holds the token:
/// get that from `/api/v1/apis/{api}/token`.
#[utoipa::path(get, path = "/api/v1/apis/{api}/events", operation_id = "tokenEvents", tag = "events",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters")),
    responses((status = 200, description = "The stream: an event after the other", body = TokenStateView, content_type = "text/event-stream"),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn token_events(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
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
    let stream = states(Arc::clone(&server.vega.registry), api)
        .take_until(over(server, principal))
        .map(move |state| {
            let _permit = &permit;
            Ok(event(&state))
        });
    Ok((
        UNBUFFERED,
        Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)),
    ))
}

fn event(state: &TokenStateView) -> Event {
    Event::default()
        .event("token")
        .data(serde_json::to_string(state).unwrap_or_default())
}

/// How the token of this API stands now, and then each time that something else does.
fn states(registry: Arc<HotTokenRegistry>, api: ApiName) -> impl Stream<Item = TokenStateView> {
    let changes = registry.subscribe();
    let told: Option<String> = None;
    stream::unfold(
        (registry, api, changes, told),
        async |(registry, api, mut changes, told)| {
            loop {
                // Before the look, so that no change falls between the two.
                changes.borrow_and_update();
                let (version, state) = look(&registry, &api);
                if told.as_ref() != Some(&version) {
                    return Some((state, (registry, api, changes, Some(version))));
                }
                changes.changed().await.ok()?;
            }
        },
    )
}

/// What is told of the token, and what tells it from every other one: a generation comes twice where a database lost the first one.
fn look(registry: &HotTokenRegistry, api: &ApiName) -> (String, TokenStateView) {
    let there = registry.read(api, |hot| {
        let state = TokenStateView::of(api.as_str(), Some(hot.token()));
        (hot.version().to_owned(), state)
    });
    there.unwrap_or_else(|| (String::new(), TokenStateView::of(api.as_str(), None)))
}
