//! The login pages as a browser loads them: one document for every screen, its script and its style sheet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;

use super::{
    faults::cloudflare_page,
    shared::{AppState, Shared},
};
use crate::model::{
    login::NextScreen,
    page_options::{BlockAt, Container, Layout},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(page))
        .route("/otp", get(page))
        .route("/pin", get(page))
        .route("/consent", get(page))
        .route("/blocked", get(async || cloudflare_page()))
        .route(
            "/assets/login.js",
            get(async || script(include_str!("../../assets/login.js"))),
        )
        .route(
            "/assets/human.js",
            get(async || script(include_str!("../../assets/human.js"))),
        )
        .route(
            "/assets/login.css",
            get(async || {
                (
                    [(header::CONTENT_TYPE, "text/css")],
                    include_str!("../../assets/login.css"),
                )
            }),
        )
}

fn script(text: &'static str) -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}

/// The ids of the elements a tool looks for, on screens built as the broker builds them.
struct Ids {
    mobile: &'static str,
    get_otp: &'static str,
    otp: &'static str,
    continue_otp: &'static str,
    pin: &'static str,
    continue_pin: &'static str,
}

const KNOWN: Ids = Ids {
    mobile: "mobileNum",
    get_otp: "getOtp",
    otp: "otpNum",
    continue_otp: "continueBtn",
    pin: "pinCode",
    continue_pin: "pinContinueBtn",
};

const CHANGED: Ids = Ids {
    mobile: "phone-field",
    get_otp: "request-code",
    otp: "code-field",
    continue_otp: "submit-code",
    pin: "secret-field",
    continue_pin: "submit-secret",
};

/// Without ids the screens are of their own making.
fn ids(layout: Layout) -> Option<&'static Ids> {
    match layout {
        Layout::Single | Layout::MultiPage => Some(&KNOWN),
        Layout::Changed => Some(&CHANGED),
        Layout::Unfamiliar => None,
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginTemplate<'a> {
    ids: Option<&'a Ids>,
    app: &'a str,
    challenge: bool,
    /// What the script must know, as JSON; it holds only letters, digits and punctuation of its own making.
    data: &'a str,
}

/// The page around the login page, or the one that opens it. A transaction is letters and digits.
fn around(container: Container, transaction: &str) -> Option<String> {
    let inner = format!("/login?inner&txn={transaction}");
    let body = match container {
        Container::Window | Container::Shadow => return None,
        Container::Frame => {
            format!("<iframe src='{inner}' title='Login' width='900' height='640'></iframe>")
        }
        Container::Tab => {
            format!("<p>The login goes on in a new tab.</p><script>window.open('{inner}')</script>")
        }
    };
    Some(format!(
        "<!doctype html><title>Login | Upstox simulator</title><h1>Welcome</h1>{body}"
    ))
}

async fn page(State(shared): AppState, Query(query): Query<HashMap<String, String>>) -> Response {
    let transaction = query.get("txn").map_or("", String::as_str);
    let loaded = {
        let world = &mut *shared.world();
        world.load_page(transaction).and_then(|next| {
            let login = world.logins.get(transaction)?;
            Some((
                next,
                login.behaviour.clone(),
                login.challenge_solved,
                world.app(login.app).name.clone(),
            ))
        })
    };
    let Some((next, behaviour, challenge_solved, app)) = loaded else {
        return (StatusCode::OK, Html(include_str!("../../assets/expired.html"))).into_response();
    };
    tokio::time::sleep(Duration::from_millis(behaviour.slow_ms)).await;
    if behaviour.block == Some(BlockAt::Page) {
        return cloudflare_page();
    }
    let inner = query.contains_key("inner");
    if !inner && let Some(around) = around(behaviour.container, transaction) {
        return ([(header::CACHE_CONTROL, "no-store")], Html(around)).into_response();
    }
    let data = json!({
        "transaction": transaction,
        "multiPage": behaviour.layout == Layout::MultiPage,
        "inner": inner,
        "shadow": behaviour.container == Container::Shadow,
        "refusal": behaviour.refusal,
        "challenge": !challenge_solved,
        "slowMs": behaviour.slow_ms,
        "first": next,
    });
    let template = LoginTemplate {
        ids: ids(behaviour.layout),
        app: &app,
        challenge: !challenge_solved && next == NextScreen::Mobile,
        data: &data.to_string(),
    };
    match template.render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
