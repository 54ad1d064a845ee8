//! The switchboard under `/_sim`, for tests and for the person at a demonstration; the tool under test never calls it.
//! State and secrets, the simulated human, the phone, scenarios, the clock, the OTP limit and the counters.
//! The README of this crate lists every path with its JSON.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
    routing::{delete, get, post, put},
};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared::{AppState, Shared};
use crate::model::{
    accounts::{self, Human, SessionMode, Standing},
    phone::OtpLimit,
    scenario,
    world::World,
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/state", get(state))
        .route("/accounts/{name}/human", put(set_human))
        .route("/accounts/{name}/session", put(set_session))
        .route("/accounts/{name}/unlock", post(unlock))
        .route("/accounts/{name}/log_out_sessions", post(log_out_sessions))
        .route("/accounts/{name}/revoke_tokens", post(revoke_tokens))
        .route("/accounts/{name}/analytics_token", post(analytics_token))
        .route("/apps/{name}/revoke_token", post(revoke_token))
        .route("/apps/{name}/generate_token", post(generate_token))
        .route(
            "/phone",
            get(async || Html(include_str!("../../assets/phone.html"))),
        )
        .route("/phone/messages", get(messages))
        .route("/secrets", get(secrets))
        .route(
            "/scenarios",
            get(scenarios).post(add_scenario).delete(clear_scenarios),
        )
        .route("/scenarios/{id}", delete(remove_scenario))
        .route("/clock", get(clock).put(set_clock))
        .route("/otp_limit", get(otp_limit).put(set_otp_limit))
        .route("/counters", get(counters))
        .route("/counters/reset", post(reset_counters))
}

/// A body that must be JSON of this shape; what is wrong with another comes back in words.
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

/// Does `work` on the account named so, and answers 404 when there is none.
fn on_account(shared: &Shared, name: &str, work: impl FnOnce(&mut World, usize) -> Value) -> Response {
    let world = &mut *shared.world();
    match world
        .accounts
        .iter()
        .position(|account| account.seed.name == name)
    {
        Some(account) => Json(work(world, account)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no account of this name"),
    }
}

async fn state(State(shared): AppState) -> Json<Value> {
    let world = shared.world();
    let accounts: Vec<Value> = world
        .accounts
        .iter()
        .map(|account| {
            let mut view = serde_json::to_value(&account.seed).unwrap_or_default();
            view["human"] = json!(account.human);
            view["session"] = json!(account.session_mode);
            view["locked"] = json!(account.is_locked());
            view["standing"] = json!(account.standing);
            view
        })
        .collect();
    Json(json!({
        "accounts": accounts,
        "clock": { "now": shared.now(), "offset_seconds": shared.clock.offset_seconds() },
        "otp_limit": world.phone.limit,
        "sign_ins_open": world.sessions.sign_ins_open(),
    }))
}

async fn set_human(State(shared): AppState, Path(name): Path<String>, body: Body<Human>) -> Response {
    match body {
        Ok(Json(human)) => on_account(&shared, &name, |world, account| {
            world.accounts[account].human = human;
            json!(world.accounts[account].human)
        }),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    }
}

#[derive(Deserialize)]
struct SessionSetting {
    mode: SessionMode,
}

async fn set_session(
    State(shared): AppState,
    Path(name): Path<String>,
    body: Body<SessionSetting>,
) -> Response {
    match body {
        Ok(Json(setting)) => on_account(&shared, &name, |world, account| {
            world.accounts[account].session_mode = setting.mode;
            json!({ "mode": setting.mode })
        }),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    }
}

async fn unlock(State(shared): AppState, Path(name): Path<String>) -> Response {
    on_account(&shared, &name, |world, account| {
        world.accounts[account].standing = Standing::FRESH;
        json!({ "locked": false })
    })
}

async fn log_out_sessions(State(shared): AppState, Path(name): Path<String>) -> Response {
    on_account(&shared, &name, |world, account| {
        world.sessions.forget(account);
        json!({})
    })
}

async fn revoke_tokens(State(shared): AppState, Path(name): Path<String>) -> Response {
    on_account(&shared, &name, |world, account| {
        world.vault.revoke_account(account);
        json!({})
    })
}

async fn revoke_token(State(shared): AppState, Path(name): Path<String>) -> Response {
    let world = &mut *shared.world();
    match accounts::find_app_by_name(&world.accounts, &name) {
        Some(app) => {
            world.vault.revoke_app(app);
            Json(json!({})).into_response()
        }
        None => refuse(StatusCode::NOT_FOUND, "no app of this name"),
    }
}

/// What the button "Generate" of the broker's page for developers does: a token for the app's own account.
async fn generate_token(State(shared): AppState, Path(name): Path<String>) -> Response {
    let now = shared.now();
    let world = &mut *shared.world();
    let Some(app) = accounts::find_app_by_name(&world.accounts, &name) else {
        return refuse(StatusCode::NOT_FOUND, "no app of this name");
    };
    let user_id = &world.accounts[app.account].seed.user_id;
    let token = world.vault.issue_token(app, app.account, user_id, now);
    world.counters.token_issued(&name);
    world.secrets.access_tokens.push(token.clone());
    Json(json!({ "access_token": token })).into_response()
}

/// What the tab "Analytics" of that page does: a token for the account, which only reads.
async fn analytics_token(State(shared): AppState, Path(name): Path<String>) -> Response {
    let now = shared.now();
    on_account(&shared, &name, |world, account| {
        let user_id = &world.accounts[account].seed.user_id;
        let token = world.vault.issue_analytics(account, user_id, now);
        world.secrets.access_tokens.push(token.clone());
        json!({ "access_token": token })
    })
}

async fn messages(State(shared): AppState) -> Json<Value> {
    Json(json!(shared.world().phone.messages()))
}

async fn secrets(State(shared): AppState) -> Json<Value> {
    let world = shared.world();
    let otps: Vec<&str> = world
        .phone
        .messages()
        .iter()
        .map(|sent| sent.otp.as_str())
        .collect();
    let mut all = json!(world.secrets);
    all["otps"] = json!(otps);
    Json(all)
}

async fn scenarios(State(shared): AppState) -> Json<Value> {
    let world = shared.world();
    Json(
        world
            .scenarios
            .list()
            .iter()
            .map(scenario::Scenario::view)
            .collect(),
    )
}

async fn add_scenario(State(shared): AppState, body: Body<scenario::Request>) -> Response {
    let request = match body {
        Ok(Json(request)) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    match shared.world().scenarios.add(request) {
        Ok(scenario) => (StatusCode::CREATED, Json(scenario.view())).into_response(),
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

async fn clear_scenarios(State(shared): AppState) -> StatusCode {
    shared.world().scenarios.clear();
    StatusCode::NO_CONTENT
}

async fn remove_scenario(State(shared): AppState, Path(id): Path<u64>) -> StatusCode {
    if shared.world().scenarios.remove(id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn clock(State(shared): AppState) -> Json<Value> {
    Json(json!({ "now": shared.now(), "offset_seconds": shared.clock.offset_seconds() }))
}

#[derive(Deserialize)]
struct ClockSetting {
    offset_seconds: i64,
}

async fn set_clock(State(shared): AppState, body: Body<ClockSetting>) -> Response {
    // A thousand years either way keeps every sum of times within what a date can hold.
    let furthest = TimeDelta::days(365_000).num_seconds();
    match body {
        Ok(Json(setting)) if setting.offset_seconds.abs() <= furthest => {
            shared.clock.set_offset_seconds(setting.offset_seconds);
            clock(State(shared)).await.into_response()
        }
        Ok(_) => refuse(StatusCode::BAD_REQUEST, "the offset is too large"),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    }
}

async fn otp_limit(State(shared): AppState) -> Json<OtpLimit> {
    Json(shared.world().phone.limit)
}

async fn set_otp_limit(State(shared): AppState, body: Body<OtpLimit>) -> Response {
    match body {
        Ok(Json(limit)) => {
            shared.world().phone.limit = limit;
            Json(limit).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    }
}

async fn counters(State(shared): AppState) -> Response {
    Json(&shared.world().counters).into_response()
}

async fn reset_counters(State(shared): AppState) -> StatusCode {
    let world = &mut *shared.world();
    world.counters.reset();
    world.sessions.forget_sign_ins();
    StatusCode::NO_CONTENT
}
