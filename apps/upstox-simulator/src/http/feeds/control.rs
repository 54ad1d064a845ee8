//! The feeds' part of the switchboard: who is connected with which token, cutting them all, and updates of orders.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    http::{
        control::{Body, refuse},
        shared::{AppState, Shared},
    },
    model::{
        feeds::{FeedSettings, OpenFeed},
        world::World,
    },
};

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/feeds", get(list))
        .route("/feeds/settings", put(set))
        .route("/feeds/cut", post(cut))
        .route("/feeds/order_updates", post(send_order_update))
}

async fn list(State(shared): AppState) -> Json<Value> {
    let world = shared.world();
    let now = shared.now();
    let connections: Vec<Value> = world
        .feeds
        .list()
        .iter()
        .map(|feed| view(&world, feed, now))
        .collect();
    Json(json!({ "connections": connections, "settings": world.feeds.settings }))
}

fn view(world: &World, feed: &OpenFeed, now: DateTime<Utc>) -> Value {
    let bearer = world.vault.bearer(&feed.token, now);
    json!({
        "id": feed.id,
        "feed": feed.kind,
        "account": world.accounts[feed.account].seed.name,
        "app": bearer.map(|bearer| &world.app(bearer.app).name),
        "token": {
            "number": bearer.map(|bearer| bearer.number),
            "newest": bearer.is_some_and(|bearer| bearer.alive),
            "fingerprint": fingerprint(&feed.token),
        },
        "opened": feed.opened,
        "subscriptions": feed.subscriptions,
        "update_types": feed.update_types,
        "ticks_sent": feed.ticks_sent,
    })
}

/// The first 16 hexadecimal digits of a token's SHA-256: enough to tell which it is, too little to use.
fn fingerprint(token: &str) -> String {
    let hash = <[u8; 32]>::from(Sha256::digest(token));
    let first = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    format!("{first:016x}")
}

async fn set(State(shared): AppState, body: Body<FeedSettings>) -> Response {
    match body {
        Ok(Json(settings)) => {
            shared.world().feeds.settings = settings;
            Json(settings).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    }
}

async fn cut(State(shared): AppState) -> Json<Value> {
    Json(json!({ "cut": shared.world().feeds.cut_all() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderUpdate {
    #[serde(default = "default_account")]
    account: String,
    /// Replace the fields of a made-up order.
    #[serde(default)]
    fields: Map<String, Value>,
}

fn default_account() -> String {
    "default".to_owned()
}

async fn send_order_update(State(shared): AppState, body: Body<OrderUpdate>) -> Response {
    let asked = match body {
        Ok(Json(asked)) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let world = shared.world();
    let Some(account) = world
        .accounts
        .iter()
        .position(|account| account.seed.name == asked.account)
    else {
        return refuse(StatusCode::NOT_FOUND, "no account of this name");
    };
    let mut update = order_update(&world.accounts[account].seed.user_id, shared.now());
    for (name, value) in asked.fields {
        update[name] = value;
    }
    let sent_to = world.feeds.send_update(account, "order", &update.to_string());
    Json(json!({ "sent_to": sent_to, "update": update })).into_response()
}

/// An order that was filled, as the broker's documents show one.
fn order_update(user_id: &str, now: DateTime<Utc>) -> Value {
    let time = FixedOffset::east_opt(5 * 3600 + 1800).map_or_else(
        || now.naive_utc(),
        |india| now.with_timezone(&india).naive_local(),
    );
    let stamp = time.format("%Y-%m-%d %H:%M:%S").to_string();
    json!({
        "update_type": "order",
        "user_id": user_id,
        "userId": user_id,
        "exchange": "NSE",
        "instrument_token": "NSE_EQ|INE848E01016",
        "instrument_key": "NSE_EQ|INE848E01016",
        "trading_symbol": "NHPC-EQ",
        "tradingsymbol": "NHPC-EQ",
        "product": "D",
        "order_type": "MARKET",
        "average_price": 76.4,
        "price": 0,
        "trigger_price": 0,
        "quantity": 1,
        "disclosed_quantity": 0,
        "pending_quantity": 0,
        "filled_quantity": 1,
        "transaction_type": "BUY",
        "order_id": time.format("%y%m%d%H%M%S%3f").to_string(),
        "order_ref_id": time.format("%H%M%S%6f").to_string(),
        "exchange_order_id": time.format("1%d%H%M%S%6f").to_string(),
        "parent_order_id": null,
        "order_request_id": "1",
        "order_timestamp": stamp,
        "exchange_timestamp": stamp,
        "validity": "DAY",
        "status": "complete",
        "status_message": "",
        "status_message_raw": null,
        "is_amo": false,
        "variety": "SIMPLE",
        "tag": null,
        "guid": null,
        "placed_by": user_id,
    })
}
