//! `/apis`: the status of each API, and its token. Tokens are read from the hot registry: no database and no lock is
//! involved.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;
use vega_api_types::{ApiView, ApisView, TokenView};
use vega_domain::consumer::Consumer;
use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::no_token::new_one_from;
use vega_domain::secret::TokenAnswer;
use vega_domain::token::StoredToken;
use vega_domain::token_kind::TokenKind;
use vega_services::HotToken;

use crate::api::asked_token::{Asked, known_api, unknown_api};
use crate::api::events::access_ended;
use crate::api::no_token::why_not;
use crate::auth::principal::Principal;
use crate::http::error_responses::ErrorResponses;
use crate::http::extract::QueryParams;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{ProblemCode, ProblemView};

/// Every API and account: how its token stands, never the token.
#[utoipa::path(get, path = "/api/v1/apis", operation_id = "listApis", tag = "apis",
    responses((status = 200, description = "How they stand", body = ApisView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Json<ApisView> {
    Json(server.dashboard.apis())
}

/// One API: how its token stands, never the token.
#[utoipa::path(get, path = "/api/v1/apis/{api}", operation_id = "getApi", tag = "apis",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters")),
    responses((status = 200, description = "How it stands", body = ApiView),
        (status = 404, description = "No such API is configured", body = ProblemView,
            content_type = "application/problem+json"), ErrorResponses))]
pub(crate) async fn one(
    State(server): State<Arc<Server>>,
    Path(api): Path<String>,
) -> Result<Json<ApiView>, Problem> {
    let apis = server.dashboard.apis().apis;
    let found = ApiName::new(api)
        .ok()
        .and_then(|api| apis.into_iter().find(|view| view.api == api.as_str()));
    found.map(Json).ok_or_else(|| unknown_api(&server))
}

const A_DAY: Duration = Duration::from_hours(24);
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// How a token is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// So long it must still live: seconds, or a number with `s`, `m` or `h`, as in `30m`; a day at most.
    #[param(
        pattern = "^([0-7]?[0-9]{1,4}s?|[0-9]{1,3}m|(1?[0-9]|2[0-4])h)$",
        example = "30m"
    )]
    min_valid: Option<String>,
    /// Which token: `trade`, the API's own, or `read`, the analytics token of its account, which only reads. `trade` where it is left out.
    #[param(pattern = "^(trade|read)$", example = "trade")]
    kind: Option<String>,
    /// `read`: while the API has no token of its own, or none that lives so long, the account's analytics token will do.
    #[param(pattern = "^(trade|read)$", example = "trade")]
    accept: Option<String>,
    /// So long it may take until there is a token, or another one than that of `If-None-Match`: written in the same way, 50 s at most.
    #[param(pattern = "^([0-4]?[0-9]s?|50s?)$", example = "30s")]
    wait: Option<String>,
}

/// The token of one API. Its `ETag` is its generation and its fingerprint: send it back as `If-None-Match`, and 304 says that it
/// is still that one and still alive.
#[utoipa::path(get, path = "/api/v1/apis/{api}/token", operation_id = "getToken", tag = "apis",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters"), Token),
    responses(
        (status = 200, description = "The token", body = TokenView, headers(("ETag" = String, description = "Its generation and fingerprint"),
            ("x-vega-stale-for" = u64, description = "Only while the database is away, for so many seconds: a revocation does not reach the server"))),
        (status = 304, description = "Still the one that you have"),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "A human must sign in", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "The account cools down", body = ProblemView, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
        ErrorResponses))]
pub(crate) async fn token(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Extension(consumer): Extension<Option<Consumer>>,
    Path(name): Path<String>,
    QueryParams(wanted): QueryParams<Token>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(min_valid) = up_to_a_day(wanted.min_valid.as_deref().unwrap_or("0")) else {
        let words = "min_valid is a length such as 30m, or seconds such as 1800; a day at most, for an API's own token lives no longer. \
                     When an analytics token ends, its answer says.";
        return Err(Problem::new(ProblemCode::BadRequest, words));
    };
    let Some(wait) = wait(wanted.wait.as_deref().unwrap_or("0")) else {
        let words = "wait is a length such as 30s, or seconds such as 30; 50 s at most.";
        return Err(Problem::new(ProblemCode::BadRequest, words));
    };
    let name = known_api(&server, name)?;
    let asked = Asked::of(
        &server,
        &principal,
        name,
        wanted.kind.as_deref(),
        wanted.accept.as_deref(),
    )?;
    // Whoever waits takes a place like a stream.
    let permit = (!wait.is_zero()).then(|| server.token_stream_limits.acquire(&principal));
    let _permit = permit
        .transpose()
        .map_err(|words| Problem::new(ProblemCode::TooManyStreams, words))?;
    if let Some(consumer) = consumer.clone() {
        server.vega.consumers.saw(consumer, asked.preferred(), None);
    }
    let until = Instant::now() + wait;
    let mut changes = server.vega.registry.subscribe();
    let mut has_waited = false;
    loop {
        // Before the look, so that no change falls between the two.
        changes.borrow_and_update();
        if has_waited {
            principal.counts(&server.vega).await?;
        }
        has_waited = true;
        let answer = token_now(&server, &asked, min_valid, &headers, consumer.as_ref());
        let has_it = answer
            .as_ref()
            .is_ok_and(|answer| answer.status() == StatusCode::OK);
        if has_it {
            return answer;
        }
        tokio::select! {
            biased;
            () = server.stop.cancelled() => return answer,
            another = timeout_at(until, changes.changed()) => if !matches!(another, Ok(Ok(()))) {
                return answer;
            },
            ended = access_ended(&server, &principal) => return Err(ended),
        }
    }
}

fn token_now(
    server: &Server,
    asked: &Asked,
    min_valid: TimeDelta,
    headers: &HeaderMap,
    consumer: Option<&Consumer>,
) -> Result<Response, Problem> {
    let mut dies_too_soon = None;
    for name in &asked.names {
        let answered = server.vega.registry.read(name, |hot| {
            let valid_until = hot.token().valid_until;
            let left = valid_until - server.vega.clock.now();
            if left < min_valid {
                return Err(too_short(&asked.api, hot.token(), left));
            }
            if let Some(consumer) = consumer {
                let has = Some(hot.token().generation);
                server.vega.consumers.saw(consumer.clone(), name, has);
            }
            Ok(answer(server, &asked.api, hot, headers))
        });
        match answered {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(problem)) => dies_too_soon = dies_too_soon.or(Some(problem)),
            None => {}
        }
    }
    Err(dies_too_soon.unwrap_or_else(|| why_not(server, asked)))
}

fn too_short(api: &ApiName, token: &StoredToken, left: TimeDelta) -> Problem {
    let seconds = left.num_seconds();
    let words = match token.kind() {
        TokenKind::Trade => format!(
            "The token of {api} lives for {seconds} more seconds, fewer than you ask for. Ask for fewer, or have a human sign \
             in from {} IST on.",
            in_ist(new_one_from(token.valid_until)).format("%H:%M")
        ),
        TokenKind::Read => format!(
            "The analytics token of account {} lives for {seconds} more seconds, fewer than you ask for. Ask for fewer, or give \
             Vega a new one: `vega adopt --analytics {}`.",
            token.account, token.account
        ),
    };
    Problem::new(ProblemCode::HumanNeeded, words)
}

/// Shorter than any request may take.
fn wait(text: &str) -> Option<Duration> {
    vega_bootstrap::length(text)
        .ok()
        .filter(|wait| *wait <= LONGEST_WAIT)
}

/// As `--min-valid` has it; at most a day.
fn up_to_a_day(text: &str) -> Option<TimeDelta> {
    let length = vega_bootstrap::length(text).ok()?;
    (length <= A_DAY).then(|| TimeDelta::from_std(length).ok())?
}

/// On a token while the database is away: a revocation does not reach it. Seconds.
static STALE_FOR: HeaderName = HeaderName::from_static("x-vega-stale-for");

/// The answer to a program that may have the token: the token, or that the program has it. It says how long the database could not
/// be asked, if so.
pub(crate) fn answer(server: &Server, api: &ApiName, hot: &HotToken, headers: &HeaderMap) -> Response {
    let mut answer = fresh_answer(api, hot, headers);
    if let Some(stale_for) = server.vega.registry.stale_for() {
        let seconds = HeaderValue::from(stale_for.as_secs());
        answer.headers_mut().insert(&STALE_FOR, seconds);
    }
    answer
}

fn fresh_answer(api: &ApiName, hot: &HotToken, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hot.version());
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if known.any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let body = match hot.token().kind() {
        TokenKind::Trade => hot.answer(|token| written(token.api.as_str(), token)),
        // It is one for every API of its account, each of which it is asked for with.
        TokenKind::Read => written(api.as_str(), hot.token()),
    };
    let body = Bytes::from_owner(body);
    (
        [
            (header::ETAG, tag.as_str()),
            (header::CONTENT_TYPE, "application/json"),
        ],
        body,
    )
        .into_response()
}

fn written(api: &str, token: &StoredToken) -> TokenAnswer {
    // Longer than what goes with a token, so that no copy of it is left where the buffer was before it grew.
    let mut text = Vec::with_capacity(token.access_token.expose().len() + 512);
    let view = TokenView::of(api, token);
    serde_json::to_writer(&mut text, &view).expect("a view without maps and floats is JSON");
    TokenAnswer::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_as_on_the_command_line_or_in_seconds() {
        let seconds = |text| up_to_a_day(text).map(|length| length.num_seconds());
        for (text, expected) in [
            ("0", Some(0)),
            ("1800", Some(1_800)),
            ("0001800", Some(1_800)),
            ("1800s", Some(1_800)),
            ("30m", Some(1_800)),
            ("1h 30m", Some(5_400)),
            ("24h", Some(86_400)),
            ("86400", Some(86_400)),
            ("86401", None),
            ("25h", None),
            ("99999999999999999999", None),
            ("18446744073709551615h", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("30 minutes", Some(1_800)),
            ("half an hour", None),
            ("30m;", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
