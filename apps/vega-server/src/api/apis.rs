//! `/apis`: the status of each API, and its token. Tokens are read from the hot registry: no database and no lock is
//! involved.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;
use vega_api_types::{AccountView, AnalyticsView, ApiView, ApisView, ClosedView, Snapshot, TokenView};
use vega_domain::access::Scope;
use vega_domain::consumer::Consumer;
use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::no_token::{Closed, NoToken, new_one_from, status_words};
use vega_domain::secret::TokenAnswer;
use vega_domain::token::{StoredToken, TokenStatus};
use vega_domain::token_kind::{TokenKind, WantedKind};
use vega_services::HotToken;

use crate::api::events::access_ended;
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
        let words = "min_valid is a length such as 30m, or seconds such as 1800; a day at most, for no token lives longer.";
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

/// What a program asks for and may have.
pub(crate) struct Asked {
    /// The name that it asks with.
    pub(crate) api: ApiName,
    pub(crate) wanted: WantedKind,
    /// The names under which the tokens are kept that it may get, the preferred one first.
    pub(crate) names: Vec<ApiName>,
}

impl Asked {
    /// Who may not have each kind that it asks for is refused, and told what lets it.
    pub(crate) fn of(
        server: &Server,
        principal: &Principal,
        api: ApiName,
        kind: Option<&str>,
        accept: Option<&str>,
    ) -> Result<Self, Problem> {
        let wanted = WantedKind::of(kind, accept);
        let wanted = wanted.map_err(|error| Problem::new(ProblemCode::BadRequest, format!("{error}.")))?;
        for kind in wanted.kinds() {
            let needed = match kind {
                TokenKind::Trade => Scope::Token(api.clone()),
                TokenKind::Read => Scope::Read(api.clone()),
            };
            if !principal.may(&needed) {
                server.audit_refusal(format!("{} lacks the scope {needed}", principal.name()));
                return Err(principal.not_allowed(&[needed.to_string()]));
            }
        }
        Self::unchecked(server, api, wanted)
    }

    /// For who may see how every token stands.
    pub(crate) fn unchecked(server: &Server, api: ApiName, wanted: WantedKind) -> Result<Self, Problem> {
        let (account, _) = server
            .vega
            .settings
            .accounts
            .find(&api)
            .ok_or_else(|| unknown_api(server))?;
        let names = wanted.names(&account.id, &api);
        Ok(Self { api, wanted, names })
    }

    /// The name under which the token is kept that it asks for in the first place.
    pub(crate) fn preferred(&self) -> &ApiName {
        &self.names[0]
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

/// Why there is no token to serve, from the dashboard.
fn why_not(server: &Server, asked: &Asked) -> Problem {
    let now = server.vega.clock.now();
    let problem = server.dashboard.look(|shown| {
        let api = shown.apis.iter().find(|view| view.api == asked.api.as_str())?;
        Some(cause(api, account_of(shown, api), asked.wanted, now))
    });
    problem.unwrap_or_else(|| unknown_api(server))
}

/// The same for who is told of changes: nothing while the dashboard does not know yet that there is none.
pub(crate) fn why_no_longer(server: &Server, asked: &Asked) -> Option<Problem> {
    let now = server.vega.clock.now();
    server.dashboard.look(|shown| {
        let api = shown.apis.iter().find(|view| view.api == asked.api.as_str())?;
        let account = account_of(shown, api);
        let has_analytics = account
            .and_then(|account| account.analytics.as_ref())
            .is_some_and(|analytics| analytics.servable);
        let is_there = asked.wanted.kinds().iter().any(|kind| match kind {
            TokenKind::Trade => api.servable,
            TokenKind::Read => has_analytics,
        });
        (!is_there).then(|| cause(api, account, asked.wanted, now))
    })
}

fn cause(api: &ApiView, account: Option<&AccountView>, wanted: WantedKind, now: DateTime<Utc>) -> Problem {
    match wanted {
        WantedKind::Trade | WantedKind::TradeOrRead => no_token(api, account, now),
        WantedKind::Read => no_analytics(
            &api.account,
            account.and_then(|account| account.analytics.as_ref()),
        ),
    }
}

fn no_analytics(account: &str, analytics: Option<&AnalyticsView>) -> Problem {
    let way_out = format!(
        "Make one on Upstox's page (My apps, Analytics), and give it to Vega: `vega adopt --analytics {account}`."
    );
    match analytics.map(|analytics| analytics.status.into()) {
        None => Problem::new(
            ProblemCode::HumanNeeded,
            format!("Account {account} has no analytics token. {way_out}"),
        ),
        Some(TokenStatus::Unknown) => Problem::new(
            ProblemCode::TokenUnknown,
            format!(
                "Upstox did not say whether the analytics token of account {account} is good. Vega asks again."
            ),
        ),
        Some(status) => Problem::new(
            ProblemCode::HumanNeeded,
            format!(
                "The analytics token of account {account} is {}. {way_out}",
                status_words(status)
            ),
        ),
    }
}

fn account_of<'s>(shown: &'s Snapshot, api: &ApiView) -> Option<&'s AccountView> {
    let mut accounts = shown.accounts.iter();
    accounts.find(|account| account.account == api.account)
}

fn no_token(api: &ApiView, account: Option<&AccountView>, now: DateTime<Utc>) -> Problem {
    let name = &api.api;
    let valid_until = api.valid_until_unix;
    let why = NoToken::of(
        api.status.into(),
        valid_until.and_then(|at| DateTime::from_timestamp(at, 0)),
        account.and_then(AccountView::closed),
        now,
    );
    let is = status_words(api.status.into());
    let closed = |does: &str, closed: &ClosedView| {
        format!(
            "The token of {name} is {is}, and account {} {does}: {}. {}",
            api.account, closed.failure.summary, closed.way_out
        )
    };
    match why {
        NoToken::Unknown => {
            let words = format!(
                "Upstox did not say whether the token of {name} is good. Vega asks again; so may you, with \
                 POST /api/v1/verifications."
            );
            Problem::new(ProblemCode::TokenUnknown, words).until(now + TimeDelta::seconds(5), now)
        }
        NoToken::Closed(Closed::Stop(stop)) => {
            Problem::new(ProblemCode::HumanNeeded, closed("is stopped", stop))
        }
        NoToken::Closed(Closed::Cooldown(cooldown)) => {
            let problem = Problem::new(ProblemCode::CoolingDown, closed("cools down", cooldown));
            let until = account.and_then(|account| account.retry_at_unix);
            match until.and_then(|at| DateTime::from_timestamp(at, 0)) {
                Some(until) => problem.until(until, now),
                None => problem,
            }
        }
        NoToken::NotBefore(from) => {
            let words = format!(
                "The token of {name} is {is}. Run `vega {name}`, or start a run in the console, from {} IST on, and sign in.",
                in_ist(from).format("%H:%M")
            );
            Problem::new(ProblemCode::HumanNeeded, words)
        }
        NoToken::SignIn => {
            let words = format!(
                "The token of {name} is {is}. Run `vega {name}`, or start a run in the console, and sign in."
            );
            Problem::new(ProblemCode::HumanNeeded, words)
        }
    }
}

/// The API of this name, if it is configured.
pub(crate) fn known_api(server: &Server, name: String) -> Result<ApiName, Problem> {
    let name = ApiName::new(name).map_err(|_| unknown_api(server))?;
    let mut apis = server.vega.settings.accounts.apis();
    if apis.any(|(_, api)| api.name == name) {
        return Ok(name);
    }
    Err(unknown_api(server))
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
    use vega_domain::clock_reading::ClockReading;
    use vega_domain::cooldown::{AccountHold, Cooldown};
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::{AccountId, MobileNumber};
    use vega_domain::sign_in::OtpAllowance;
    use vega_domain::token::ApiStatus;

    use super::*;

    /// PRIMARY's token so, and its account closed so, 40 seconds before the token's last minute is over.
    fn problem(status: TokenStatus, hold: Option<(AccountHold, FailureReason)>) -> Problem {
        let at = DateTime::parse_from_rfc3339("2026-11-24T03:29:20+05:30").unwrap();
        let now = ClockReading::by_wall_clock(at.to_utc());
        let account = AccountId::new("default").unwrap();
        let closed = hold.map(|(hold, reason)| Cooldown {
            account: account.clone(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: now.clone(),
            hold,
            failure: Failure::new(reason, ""),
        });
        let status = ApiStatus {
            api: ApiName::new("PRIMARY").unwrap(),
            account: account.clone(),
            status,
            servable: false,
            generation: None,
            valid_until: Some(now.at + TimeDelta::seconds(40)),
            verified_at: None,
            last_check: None,
            last_failure: None,
            last_attempt: None,
        };
        let account = AccountView::of(&account, closed.as_ref(), &OtpAllowance::Left(1), 4, &now);
        no_token(&ApiView::of(&status, None), Some(&account), now.at)
    }

    #[tokio::test]
    async fn each_cause_of_no_token_has_its_code_and_its_way_out() {
        let length = Duration::from_mins(11);
        let cooldown = (AccountHold::Cooldown { length }, FailureReason::Throttled);
        let stop = (AccountHold::Stop, FailureReason::PinRefused);
        let mut told = Vec::new();
        for problem in [
            problem(TokenStatus::Unknown, None),
            problem(TokenStatus::Invalid, Some(stop)),
            problem(TokenStatus::Missing, Some(cooldown)),
            problem(TokenStatus::Valid, None),
            problem(TokenStatus::Expired, None),
        ] {
            let answer = problem.into_response();
            let retry_after = answer.headers().get(header::RETRY_AFTER).cloned();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
                .await
                .unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let (status, code, detail) = (&body["status"], &body["code"], &body["detail"]);
            told.push(format!("{status} {code}, retry after {retry_after:?}: {detail}"));
        }
        insta::assert_snapshot!(told.join("\n"));
    }

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
