//! The authorize dialog: checks who asks, then sends the browser to the login page. Errors are JSON in the browser
//! and never a redirect, so that a wrong redirect URI is never followed.

use std::collections::HashMap;

use axum::{
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{cookies, envelope::Answer, faults::Faults, shared::AppState};
use crate::{
    connection::Connection,
    model::{
        login::{DialogRequest, Opened},
        scenario::Target,
    },
};

pub(super) async fn open(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let app = given("client_id").and_then(|client_id| shared.world().find_app(client_id));
    let faults = Faults::new(shared.world().take_scenarios(Target::Dialog, app), connection);
    if let Some(response) = faults.before().await {
        return response;
    }
    for (field, code) in [
        ("client_id", "UDAPI1017"),
        ("redirect_uri", "UDAPI1018"),
        ("response_type", "UDAPI1026"),
    ] {
        if given(field).is_none() {
            return faults.after(Answer::error(code)).await;
        }
    }
    let registered = app.map(|app| shared.world().app(app).redirect_uri.clone());
    let (Some(app), true) = (app, registered.as_ref() == given("redirect_uri")) else {
        return faults.after(Answer::error("UDAPI100068")).await;
    };
    if given("response_type").is_none_or(|kind| kind != "code") {
        return faults.after(Answer::error("UDAPI100068")).await;
    }
    let now = shared.now();
    let (opened, browser, is_new) = {
        let world = &mut *shared.world();
        let (browser, is_new) = world.sessions.browser(cookies::read(&headers, cookies::BROWSER));
        world.counters.browser_sessions_seen += u64::from(is_new);
        let request = DialogRequest {
            app,
            state: query.get("state").cloned(),
            browser: &browser,
            login_cookie: cookies::read(&headers, cookies::LOGIN),
        };
        (world.open_login(request, now), browser, is_new)
    };
    let location = match opened {
        Opened::Page { transaction } => login_address(&transaction),
        Opened::Through { location } => location,
    };
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if is_new {
        cookies::set(response.headers_mut(), cookies::BROWSER, &browser);
    }
    response
}

/// The login page's address. Its `client_id` is an internal one, as the broker's is, and not the app's key.
fn login_address(transaction: &str) -> String {
    format!(
        "/login?client_id=IND-sim0login0internal&user_id=&user_type=individual&response_type=code&txn={transaction}"
    )
}
