//! `/apis`: the status of each API, and its token. Tokens are read from the hot registry: no database and no lock is
//! involved.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use utoipa::IntoParams;
use vega_api_types::codes::TokenStatus;
use vega_api_types::{ApiView, ApisView, ClosedView, TokenView};
use vega_domain::ids::ApiName;
use vega_domain::token::StoredToken;

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
}

/// The token of one API. Its `ETag` is its generation: send it back as `If-None-Match`, and 304 says that it is still that
/// one and still alive.
#[utoipa::path(get, path = "/api/v1/apis/{api}/token", operation_id = "getToken", tag = "apis",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY, in any case of letters"), Token),
    responses(
        (status = 200, description = "The token", body = TokenView, headers(("ETag" = String, description = "Its generation"))),
        (status = 304, description = "Still the one that you have"),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "A human must sign in", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "The account cools down", body = ProblemView, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
        ErrorResponses))]
pub(crate) async fn token(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    QueryParams(wanted): QueryParams<Token>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(min_valid) = length(wanted.min_valid.as_deref().unwrap_or("0")) else {
        let words = "min_valid is a length such as 30m, or seconds such as 1800; a day at most, for no token lives longer.";
        return Err(Problem::new(ProblemCode::BadRequest, words));
    };
    let Ok(name) = ApiName::new(name) else {
        return Err(unknown_api(&server));
    };
    let Some(token) = server.vega.registry.get(&name) else {
        return Err(why_not(&server, &name));
    };
    let left = token.valid_until - server.vega.clock.now();
    if left < min_valid {
        let words = format!(
            "The token of {name} lives for {} more seconds, fewer than you ask for. Ask for fewer, or have a human sign in \
             after 03:30 IST.",
            left.num_seconds()
        );
        return Err(Problem::new(ProblemCode::HumanNeeded, words));
    }
    Ok(answer(&token, &headers))
}

/// As `--min-valid` has it, or in seconds alone; at most a day.
fn length(text: &str) -> Option<TimeDelta> {
    let seconds = text.bytes().all(|digit| digit.is_ascii_digit());
    let length = match text.parse() {
        Ok(number) if seconds => Duration::from_secs(number),
        _ => humantime::parse_duration(text).ok()?,
    };
    (length <= A_DAY).then(|| TimeDelta::from_std(length).ok())?
}

fn answer(token: &StoredToken, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", token.generation.get());
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if known.any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag)], Json(TokenView::from(token))).into_response()
}

/// Why there is no token to serve, from the dashboard.
fn why_not(server: &Server, name: &ApiName) -> Problem {
    let apis = server.dashboard.apis();
    let Some(api) = apis.apis.iter().find(|view| view.api == name.as_str()) else {
        return unknown_api(server);
    };
    let now = server.vega.clock.now();
    if api.status == TokenStatus::Unknown {
        let words = format!(
            "Upstox could not be asked whether the token of {name} is good. Vega asks again; so may you, with \
             POST /api/v1/verifications."
        );
        return Problem::new(ProblemCode::TokenUnknown, words)
            .until(now + chrono::TimeDelta::seconds(5), now);
    }
    let account = apis
        .accounts
        .iter()
        .find(|account| account.account == api.account);
    let state = match api.status {
        TokenStatus::Valid => "in its last minute",
        status => status.as_str(),
    };
    let closed = |is: &str, closed: &ClosedView| {
        format!(
            "The token of {name} is {state}, and account {} {is}: {}. {}",
            api.account, closed.failure.summary, closed.way_out
        )
    };
    if let Some(stop) = account.and_then(|account| account.stop.as_ref()) {
        return Problem::new(ProblemCode::HumanNeeded, closed("is stopped", stop));
    }
    if let Some((account, cooldown)) = account.and_then(|account| Some((account, account.cooldown.as_ref()?)))
    {
        let until = account
            .retry_at_unix
            .and_then(|at| DateTime::from_timestamp(at, 0));
        let problem = Problem::new(ProblemCode::CoolingDown, closed("cools down", cooldown));
        return match until {
            Some(until) => problem.until(until, now),
            None => problem,
        };
    }
    let words = format!(
        "The token of {name} is {state}. Run `vega {name}`, or start a run in the console, and sign in."
    );
    Problem::new(ProblemCode::HumanNeeded, words)
}

pub(crate) fn unknown_api(server: &Server) -> Problem {
    let apis = server.vega.settings.accounts.apis();
    let names: Vec<&str> = apis.map(|(_, api)| api.name.as_str()).collect();
    Problem::new(
        ProblemCode::UnknownApi,
        format!("There are {}.", names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_as_on_the_command_line_or_in_seconds() {
        let seconds = |text| length(text).map(|length| length.num_seconds());
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
