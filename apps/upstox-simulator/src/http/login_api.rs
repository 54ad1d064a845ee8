//! The private backend of the login page: JSON in, JSON out, errors at HTTP 200 as the broker's own backend does.
//! Only the page's script calls it; a tool under test has no business here.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cookies,
    shared::{AppState, Shared},
};
use crate::model::{
    login::{NextScreen, Stage},
    login_entry::{Consent, Refusal},
    world::World,
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/otp/generate", post(generate_otp))
        .route("/otp/resend", post(resend_otp))
        .route("/otp/verify", post(verify_otp))
        .route("/pin/verify", post(verify_pin))
        .route("/consent", post(consent))
        .route("/challenge", post(solve_challenge))
        .route("/back", post(back))
}

/// Every call names its transaction and at most one thing typed.
#[derive(Deserialize)]
struct Typed {
    transaction: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct ConsentGiven {
    transaction: String,
    value: Consent,
}

/// `{"success":true,"data":{"message":…,"screen":…},"error":null}`, or the same with the error filled in.
pub(super) fn reply(outcome: Result<(NextScreen, String), Refusal>) -> Json<Value> {
    Json(match outcome {
        Ok((next, message)) => {
            let mut data = serde_json::to_value(next).unwrap_or_default();
            data["message"] = Value::String(message);
            json!({ "success": true, "data": data, "error": null })
        }
        Err(refusal) => json!({
            "success": false,
            "data": null,
            "error": { "code": refusal.code(), "message": refusal.message() },
        }),
    })
}

/// The refusal of what was typed; in a login that is told to, the words repeat it or are followed by others.
fn refused(refusal: Refusal, world: &World, typed: &Typed) -> Json<Value> {
    let Json(mut body) = reply(Err(refusal));
    let (Some(login), Some(message)) = (
        world.logins.get(&typed.transaction),
        body["error"]["message"].as_str(),
    ) else {
        return Json(body);
    };
    let mut message = message.to_owned();
    if login.behaviour.repeats_entry {
        message = format!("{message} You entered {}.", typed.value);
    }
    if let Some(words) = &login.behaviour.added_words {
        message = format!("{message} {words}");
    }
    body["error"]["message"] = json!(message);
    Json(body)
}

fn browser(headers: &HeaderMap) -> Option<&str> {
    cookies::read(headers, cookies::BROWSER)
}

async fn generate_otp(State(shared): AppState, headers: HeaderMap, Json(typed): Json<Typed>) -> Json<Value> {
    let now = shared.now();
    let world = &mut *shared.world();
    let sent = world
        .login(&typed.transaction, browser(&headers))
        .map(|_| ())
        .and_then(|()| world.enter_mobile(&typed.transaction, &typed.value, now));
    match sent {
        Ok(next) => reply(Ok(otp_sent(next))),
        Err(refusal) => refused(refusal, world, &typed),
    }
}

async fn resend_otp(State(shared): AppState, headers: HeaderMap, Json(typed): Json<Typed>) -> Json<Value> {
    let now = shared.now();
    let world = &mut *shared.world();
    let stage = world
        .login(&typed.transaction, browser(&headers))
        .map(|login| login.stage);
    let sent = stage.and_then(|stage| {
        let Stage::Otp { account } = stage else {
            return Err(Refusal::SessionExpired);
        };
        let mobile = world.accounts[account].seed.mobile.clone();
        world.enter_mobile(&typed.transaction, &mobile, now)
    });
    reply(sent.map(otp_sent))
}

fn otp_sent(next: NextScreen) -> (NextScreen, String) {
    let message = match &next {
        NextScreen::Otp { masked_mobile } => format!("Enter the 6-digit OTP received on {masked_mobile}"),
        _ => String::new(),
    };
    (next, message)
}

async fn verify_otp(State(shared): AppState, headers: HeaderMap, Json(typed): Json<Typed>) -> Json<Value> {
    let now = shared.now();
    let world = &mut *shared.world();
    let next = world
        .login(&typed.transaction, browser(&headers))
        .map(|_| ())
        .and_then(|()| world.enter_otp(&typed.transaction, &typed.value, now));
    match next {
        Ok(next) => reply(Ok((next, "Your OTP has been successfully verified.".to_owned()))),
        Err(refusal) => refused(refusal, world, &typed),
    }
}

async fn verify_pin(State(shared): AppState, headers: HeaderMap, Json(typed): Json<Typed>) -> Response {
    let now = shared.now();
    let world = &mut *shared.world();
    let accepted = world
        .login(&typed.transaction, browser(&headers))
        .map(|_| ())
        .and_then(|()| world.enter_pin(&typed.transaction, &typed.value, now));
    match accepted {
        Err(refusal) => refused(refusal, world, &typed).into_response(),
        Ok(accepted) => {
            let mut response = reply(Ok((accepted.next, "2FA Successful".to_owned()))).into_response();
            cookies::set(response.headers_mut(), cookies::LOGIN, &accepted.login_cookie);
            response
        }
    }
}

async fn consent(
    State(shared): AppState,
    headers: HeaderMap,
    Json(given): Json<ConsentGiven>,
) -> Json<Value> {
    let now = shared.now();
    let world = &mut *shared.world();
    let next = world
        .login(&given.transaction, browser(&headers))
        .map(|_| ())
        .and_then(|()| world.enter_consent(&given.transaction, given.value, now));
    reply(next.map(|next| (next, String::new())))
}

async fn solve_challenge(
    State(shared): AppState,
    headers: HeaderMap,
    Json(typed): Json<Typed>,
) -> Json<Value> {
    let world = &mut *shared.world();
    let known = world.login(&typed.transaction, browser(&headers)).map(|_| ());
    reply(known.map(|()| {
        if let Some(login) = world.logins.get_mut(&typed.transaction) {
            login.challenge_solved = true;
            world.counters.challenge_ticked(&typed.value);
        }
        (NextScreen::Mobile, "Success!".to_owned())
    }))
}

async fn back(State(shared): AppState, headers: HeaderMap, Json(typed): Json<Typed>) -> Json<Value> {
    let world = &mut *shared.world();
    let known = world.login(&typed.transaction, browser(&headers)).map(|_| ());
    reply(known.map(|()| (world.go_back(&typed.transaction), String::new())))
}
