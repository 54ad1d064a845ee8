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
use serde::Deserialize;
use utoipa::IntoParams;
use vega_api_types::{ProblemCode, ProblemView, StreamEndView, TokenStateView, TokenStreamEvent};
use vega_domain::consumer::Consumer;
use vega_domain::token_kind::WantedKind;

use crate::api::asked_token::{Asked, known_api};
use crate::api::events::{HEARTBEAT, UNBUFFERED, over};
use crate::api::no_token::why_no_longer;
use crate::auth::principal::Principal;
use crate::http::error_responses::ErrorResponses;
use crate::http::extract::QueryParams;
use crate::http::problem::Problem;
use crate::server::Server;

/// Which token is listened to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listened {
    /// As for the token itself: `trade` or `read`.
    #[param(pattern = "^(trade|read)$", example = "trade")]
    kind: Option<String>,
    /// `read`: the account's analytics token counts where the API has none of its own.
    #[param(pattern = "^(trade|read)$", example = "trade")]
    accept: Option<String>,
}

/// How the token of one API stands, as server-sent events: one `token` event at once, and one whenever it changes; `end` where the
/// server ends it. None holds the token: get that from `/api/v1/apis/{api}/token`.
#[utoipa::path(get, path = "/api/v1/apis/{api}/events", operation_id = "tokenEvents", tag = "events",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters"), Listened),
    responses((status = 200, description = "The stream: an event after the other", body = TokenStreamEvent, content_type = "text/event-stream"),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn token_events(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Extension(consumer): Extension<Option<Consumer>>,
    Path(name): Path<String>,
    QueryParams(listened): QueryParams<Listened>,
) -> Result<
    (
        [(HeaderName, &'static str); 2],
        Sse<impl Stream<Item = Result<Event, Infallible>>>,
    ),
    Problem,
> {
    let api = known_api(&server, name)?;
    let wanted = WantedKind::of(listened.kind.as_deref(), listened.accept.as_deref());
    let wanted = wanted.map_err(|error| Problem::new(ProblemCode::BadRequest, format!("{error}.")))?;
    let asked = Asked::unchecked(&server, api, wanted)?;
    let permit = server.token_stream_limits.acquire(&principal);
    let permit = permit.map_err(|words| Problem::new(ProblemCode::TooManyStreams, words))?;
    let connection = consumer.map(|consumer| server.vega.consumers.connects(consumer, asked.preferred()));
    let over = over(Arc::clone(&server), principal).shared();
    let stream = states(server, asked)
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
fn states(server: Arc<Server>, asked: Asked) -> impl Stream<Item = TokenStateView> {
    let tokens = server.vega.registry.subscribe();
    let causes = server.dashboard.changes();
    let told: Option<TokenStateView> = None;
    stream::unfold(
        (server, asked, tokens, causes, told),
        async |(server, asked, mut tokens, mut causes, told)| {
            loop {
                // Before the look, so that no change falls between the two.
                tokens.borrow_and_update();
                causes.borrow_and_update();
                let state = look(&server, &asked);
                if told.as_ref() != Some(&state) {
                    return Some((state.clone(), (server, asked, tokens, causes, Some(state))));
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

fn look(server: &Server, asked: &Asked) -> TokenStateView {
    let (registry, api) = (&server.vega.registry, asked.api.as_str());
    let there = registry.read_first(&asked.names, |hot| {
        TokenStateView::with(api, hot.token(), hot.version())
    });
    there.unwrap_or_else(|| {
        let cause = why_no_longer(server, asked);
        TokenStateView::without(api, cause.as_ref().map(Problem::view))
    })
}
