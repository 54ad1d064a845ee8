//! The calls a token opens: profile and logout.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    envelope::Answer,
    faults::Faults,
    shared::{AppState, Shared},
};
use crate::{connection::Connection, model::scenario::Target, seed::SeedAccount};

/// What the broker tells of a customer, at the token endpoint and in the profile.
pub(super) fn customer(account: &SeedAccount) -> Value {
    json!({
        "email": format!("{}@example.com", account.user_id.to_lowercase()),
        "exchanges": ["NSE", "NFO", "BSE", "BFO", "CDS", "BCD", "MCX"],
        "products": ["D", "CO", "I", "OCO", "MTF"],
        "broker": "UPSTOX",
        "user_id": account.user_id,
        "user_name": "A Simulated Person",
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "user_type": "individual",
        "poa": false,
        "ddpi": true,
        "is_active": true,
    })
}

pub(super) fn bearer(headers: &HeaderMap) -> &str {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|line| line.to_str().ok())
        .and_then(|line| line.strip_prefix("Bearer "))
        .map_or("", str::trim)
}

/// Counts a profile call as in flight until it is dropped, however it ends.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn begin(shared: &Arc<Shared>) -> InFlight {
        shared.world().counters.profile_called();
        InFlight(Arc::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.world().counters.profile_answered();
    }
}

pub(super) async fn profile(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    let _in_flight = InFlight::begin(&shared);
    let token = bearer(&headers);
    let app = shared
        .world()
        .vault
        .bearer(token, shared.now())
        .map(|bearer| bearer.app);
    let faults = Faults::new(shared.world().take_scenarios(Target::Profile, app), connection);
    if let Some(response) = faults.before().await {
        return response;
    }
    let answer = {
        let world = shared.world();
        match world
            .vault
            .bearer(token, shared.now())
            .filter(|bearer| bearer.is_known_after(faults.known_after()))
        {
            // No address is registered here.
            Some(bearer) if bearer.only_reads => Answer::error("UDAPI1221"),
            Some(bearer) => Answer::ok(json!({
                "status": "success",
                "data": customer(&world.accounts[bearer.account].seed),
            })),
            None => Answer::error("UDAPI100050"),
        }
    };
    faults.after(answer).await
}

pub(super) async fn log_out(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    let token = bearer(&headers);
    let app = shared
        .world()
        .vault
        .bearer(token, shared.now())
        .map(|bearer| bearer.app);
    let faults = Faults::new(shared.world().take_scenarios(Target::Logout, app), connection);
    if let Some(response) = faults.before().await {
        return response;
    }
    let answer = {
        let world = &mut *shared.world();
        if world
            .vault
            .bearer(token, shared.now())
            .is_some_and(|bearer| bearer.alive && !bearer.only_reads)
        {
            world.vault.revoke(token);
            world.counters.logouts += 1;
            Answer::ok(json!({ "status": "success", "data": true }))
        } else {
            Answer {
                status: StatusCode::UNAUTHORIZED,
                body: oauth_exception(),
            }
        }
    };
    faults.after(answer).await
}

/// The body the broker's description gives for a logout with a dead token: not the usual envelope.
fn oauth_exception() -> Value {
    json!({
        "cause": null,
        "stackTrace": [],
        "oAuth2ErrorCode": "invalid_token",
        "httpErrorCode": 401,
        "message": "Invalid token used to access API",
        "localizedMessage": "Invalid token used to access API",
        "suppressed": [],
    })
}
