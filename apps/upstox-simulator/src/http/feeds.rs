//! The feeds: the calls that lead to a socket, the sockets, and their part of the switchboard. As at the broker, the
//! address that programs know answers with a redirect, or with an address in JSON, which is good for one connection.

pub(super) mod control;
mod market_data;
mod socket;

use std::{fmt::Display, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{account::bearer, envelope::Answer, faults::Faults, shared::Shared};
use crate::{
    connection::Connection,
    model::{feeds::FeedKind, scenario::Target},
    names::{MARKET_DATA_HOST, PORTFOLIO_HOST},
    random,
};

const MARKET_DATA_SOCKET: &str = "/market-data-feeder/v3/upstox-developer-api/feeds";
const PORTFOLIO_SOCKET: &str = "/upstox-developer-api/order-updates/feed";

pub(super) fn router() -> Router<Arc<Shared>> {
    let market_data = "/v3/feed/market-data-feed";
    let portfolio = "/v2/feed/portfolio-stream-feed";
    let authorize = |of: &str| format!("{of}/authorize");
    Router::new()
        .route(
            market_data,
            get(async |call: Call| call.redirect(FeedKind::MarketData).await),
        )
        .route(
            &authorize(market_data),
            get(async |call: Call| call.authorize(FeedKind::MarketData).await),
        )
        .route(
            portfolio,
            get(async |call: Call| call.redirect(FeedKind::Portfolio).await),
        )
        .route(
            &authorize(portfolio),
            get(async |call: Call| call.authorize(FeedKind::Portfolio).await),
        )
        .route(MARKET_DATA_SOCKET, get(socket::market_data))
        .route(PORTFOLIO_SOCKET, get(socket::portfolio))
}

/// A call that asks for a socket.
#[derive(FromRequestParts)]
#[from_request(state(Arc<Shared>))]
struct Call {
    #[from_request(via(State))]
    shared: Arc<Shared>,
    #[from_request(via(ConnectInfo))]
    connection: Connection,
    headers: HeaderMap,
    #[from_request(via(Query))]
    wanted: Wanted,
}

#[derive(Deserialize)]
struct Wanted {
    /// Separated by commas.
    #[serde(default = "orders")]
    update_types: String,
}

fn orders() -> String {
    "order".to_owned()
}

impl Call {
    async fn redirect(self, kind: FeedKind) -> Response {
        match self.address(kind).await {
            Ok(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
            Err(refused) => refused,
        }
    }

    async fn authorize(self, kind: FeedKind) -> Response {
        match self.address(kind).await {
            Ok(address) => {
                let data = json!({ "authorized_redirect_uri": address, "authorizedRedirectUri": address });
                Answer::ok(json!({ "status": "success", "data": data })).into_response()
            }
            Err(refused) => refused,
        }
    }

    /// An address for one connection, or the answer to a caller who gets none.
    async fn address(self, kind: FeedKind) -> Result<String, Response> {
        let token = bearer(&self.headers);
        let faults = {
            let world = &mut *self.shared.world();
            let app = world
                .vault
                .bearer(token, self.shared.now())
                .map(|bearer| bearer.app);
            Faults::new(world.take_scenarios(Target::Feed, app), self.connection)
        };
        if let Some(response) = faults.before().await {
            self.shared.world().counters.feeds_refused += 1;
            return Err(response);
        }
        let now = self.shared.now();
        let world = &mut *self.shared.world();
        let bearer = world.vault.bearer(token, now);
        if !bearer.is_some_and(|bearer| bearer.is_known_after(faults.known_after())) {
            world.counters.feeds_refused += 1;
            return Err(Answer::error("UDAPI100050").into_response());
        }
        if bearer.is_some_and(|bearer| bearer.only_reads) && matches!(kind, FeedKind::Portfolio) {
            world.counters.feeds_refused += 1;
            return Err(Answer::error("UDAPI1221").into_response());
        }
        let types = self.wanted.update_types.split(',');
        let types = types.map(|update_type| update_type.trim().to_owned()).collect();
        let code = world.feeds.issue_ticket(kind, token, types, now);
        Ok(match kind {
            FeedKind::MarketData => address_of(MARKET_DATA_HOST, MARKET_DATA_SOCKET, code),
            FeedKind::Portfolio => address_of(PORTFOLIO_HOST, PORTFOLIO_SOCKET, code),
        })
    }
}

fn address_of(host: &str, path: &str, code: impl Display) -> String {
    format!(
        "wss://{host}{path}?requestId={}&code={code}",
        random::identifier()
    )
}
