//! `GET /events`: server-sent events, a snapshot first and then the changes. A client that falls behind is disconnected
//! and starts again; a session or key that ends, ends its streams.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use tokio_stream::wrappers::BroadcastStream;

use crate::auth::principal::Principal;
use crate::http::error_responses::ErrorResponses;
use crate::http::problem::Problem;
use crate::server::Server;
use crate::state::stream_event::Frame;
use vega_api_types::ProblemCode;
use vega_api_types::StreamEvent;

/// Tells proxies not to buffer, compress or cache the stream.
pub(crate) const UNBUFFERED: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("x-accel-buffering"), "no"),
    (header::CACHE_CONTROL, "no-store, no-transform"),
];
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a stream checks that its principal may still listen.
const ACCESS_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Everything that changes, as server-sent events: `snapshot` first, then `token`, `run`, `step`, `prompt` and `cooldown`.
/// Each holds the whole new state of its thing; none holds a secret.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events", tag = "events",
    responses((status = 200, description = "The stream: an event after the other, the first one a `snapshot`", body = StreamEvent,
        content_type = "text/event-stream"), ErrorResponses))]
pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
) -> Result<
    (
        [(HeaderName, &'static str); 2],
        Sse<impl Stream<Item = Result<Event, Infallible>>>,
    ),
    Problem,
> {
    let permit = server.stream_limits.acquire(&principal);
    let permit = permit.map_err(|words| Problem::new(ProblemCode::TooManyStreams, words))?;
    let Some((first, rest)) = server.dashboard.subscribe(server.vega.clock.now()) else {
        let words = "The database does not say how things stand. Tokens are served on; see the server's log.";
        return Err(Problem::new(ProblemCode::Storage, words));
    };
    // An error is a client that fell behind: its stream ends there.
    let rest = BroadcastStream::new(rest)
        .take_while(|frame| std::future::ready(frame.is_ok()))
        .filter_map(|frame| std::future::ready(frame.ok().map(|frame| event(&frame))));
    let stream = stream::once(std::future::ready(event(&first)))
        .chain(rest)
        .take_until(over(server, principal))
        .map(move |event| {
            let _permit = &permit;
            Ok(event)
        });
    Ok((
        UNBUFFERED,
        Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)),
    ))
}

fn event(frame: &Frame) -> Event {
    Event::default()
        .id(frame.number.to_string())
        .event(frame.event)
        .data(&frame.data)
}

/// Returns when a stream of this principal has to end, and why.
pub(crate) async fn over(server: Arc<Server>, principal: Principal) -> Problem {
    tokio::select! {
        () = server.stop.cancelled() => {
            Problem::new(ProblemCode::Stopping, "The server is being stopped. Connect again in a moment.")
        }
        why = access_ended(&server, &principal) => why,
    }
}

/// Returns when the principal may no longer listen, or wait.
pub(crate) async fn access_ended(server: &Server, principal: &Principal) -> Problem {
    loop {
        tokio::time::sleep(ACCESS_CHECK_INTERVAL).await;
        if let Err(over) = principal.counts(&server.vega).await {
            return over;
        }
    }
}
