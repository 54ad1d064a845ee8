//! The last price of an instrument, which every living token opens. The prices are made up.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    account::bearer,
    envelope::Answer,
    faults::Faults,
    shared::{AppState, Shared},
};
use crate::{connection::Connection, model::scenario::Target};

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    instrument_key: String,
}

pub(super) async fn last_price(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let token = bearer(&headers);
    let faults = {
        let world = &mut *shared.world();
        world.counters.last_price_calls += 1;
        let app = world.vault.bearer(token, shared.now()).map(|bearer| bearer.app);
        Faults::new(world.take_scenarios(Target::LastPrice, app), connection)
    };
    if let Some(response) = faults.before().await {
        return response;
    }
    let answer = answer(&shared, token, &wanted.instrument_key, &faults);
    faults.after(answer).await
}

fn answer(shared: &Arc<Shared>, token: &str, instruments: &str, faults: &Faults) -> Answer {
    let bearer = shared.world().vault.bearer(token, shared.now());
    if !bearer.is_some_and(|bearer| bearer.is_known_after(faults.known_after())) {
        return Answer::error("UDAPI100050");
    }
    let mut prices = Map::new();
    for instrument in instruments.split(',') {
        let Some((segment, name)) = instrument.split_once('|') else {
            return Answer::error("UDAPI1011");
        };
        let price = json!({ "last_price": 24_500.5, "instrument_token": instrument, "ltq": 75, "volume": 0, "cp": 24_480.0 });
        prices.insert(format!("{segment}:{name}"), price);
    }
    Answer::ok(json!({ "status": "success", "data": Value::Object(prices) }))
}
