//! The private backend of the simulated human: whether a person sits at this window, and what they would type now.
//! The OTP comes from the phone's messages, as a person would read it.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared::{AppState, Shared};
use crate::model::{login::Stage, world::World};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/human", get(presence))
        .route("/human/entry", post(entry))
}

#[derive(Deserialize)]
struct EntryRequest {
    transaction: String,
}

/// The account the window belongs to: whoever logged in, before that the app's owner.
fn account(world: &World, transaction: &str) -> Option<usize> {
    let login = world.logins.get(transaction)?;
    Some(match login.stage {
        Stage::Otp { account } | Stage::Pin { account } | Stage::Consent { account } => account,
        Stage::Mobile | Stage::Done => login.app.account,
    })
}

async fn presence(State(shared): AppState, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let world = shared.world();
    let transaction = query.get("transaction").map_or("", String::as_str);
    let human = account(&world, transaction).map(|account| world.accounts[account].human.clone());
    let human = human.unwrap_or_default();
    Json(json!({ "enabled": human.enabled, "delay_ms": human.delay_ms, "also_mobile": human.also_mobile }))
}

/// What to type into the screen that stands; `mistyped` tells that it is wrong on purpose, this once.
async fn entry(State(shared): AppState, Json(asked): Json<EntryRequest>) -> Json<Value> {
    let world = &mut *shared.world();
    let Some(account) = account(world, &asked.transaction) else {
        return Json(json!({ "value": null }));
    };
    let stage = world.logins.get(&asked.transaction).map(|login| login.stage);
    let holder = &mut world.accounts[account];
    // Who has left the desk types nothing, also into a screen that was begun.
    if !holder.human.enabled {
        return Json(json!({ "value": null }));
    }
    let (right, mistyped) = match stage {
        Some(Stage::Mobile) => (Some(holder.seed.mobile.clone()), false),
        Some(Stage::Otp { .. }) => (
            world.phone.last(&holder.seed.mobile).map(|sent| sent.otp.clone()),
            std::mem::take(&mut holder.human.wrong_otp),
        ),
        Some(Stage::Pin { .. }) => (
            Some(holder.seed.pin.clone()),
            std::mem::take(&mut holder.human.wrong_pin),
        ),
        _ => (None, false),
    };
    if mistyped && std::mem::take(&mut holder.human.gives_up) {
        holder.human.enabled = false;
    }
    let value = right.map(|right| if mistyped { other_than(&right) } else { right });
    Json(json!({ "value": value, "mistyped": mistyped }))
}

/// Six digits with the last one changed.
fn other_than(right: &str) -> String {
    let (head, last) = right.split_at(right.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}
