//! The feeds: the way to a socket, what it sends, what it lives on and what ends it, and their part of the switchboard.
//! What is in a frame is proven by the broker's own SDKs, in `tests/streamers`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use crate::broker::{Broker, error_code};

pub(crate) const MARKET_DATA: &str = "/v3/feed/market-data-feed";
const PORTFOLIO: &str = "/v2/feed/portfolio-stream-feed";
const NIFTY: &str = "NSE_INDEX|Nifty 50";
const RELIANCE: &str = "NSE_EQ|INE002A01018";
/// For what must come.
const LONGEST: Duration = Duration::from_secs(10);
/// For what must not come.
const A_WHILE: Duration = Duration::from_millis(300);

impl Broker {
    /// The address that a feed's redirect names.
    async fn feed_address(&self, path: &str, token: &str) -> String {
        let redirect = self.with_token(path, token).await;
        assert_eq!(redirect.status(), 302, "{}", redirect.text().await.unwrap());
        redirect.headers()["location"].to_str().unwrap().to_owned()
    }

    /// A socket at an address of a feed, whatever its host, or the status of the refusal.
    async fn socket(&self, address: &str) -> Result<Socket, u16> {
        let here = self.url.strip_prefix("http://").unwrap();
        let path = address.splitn(4, '/').nth(3).unwrap();
        let stream = TcpStream::connect(here).await.unwrap();
        match client_async(format!("ws://{here}/{path}"), stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn feed(&self, path: &str, token: &str) -> Socket {
        let address = self.feed_address(path, token).await;
        self.socket(&address).await.unwrap()
    }

    /// Market data of one instrument, with its first ticks already here.
    async fn ticks(&self, token: &str) -> Socket {
        let mut socket = self.feed(MARKET_DATA, token).await;
        socket.ask("sub", &[NIFTY]).await;
        while !is(&socket.frame().await, FrameType::LiveFeed) {}
        socket
    }

    async fn connections(&self) -> Vec<Value> {
        self.get("/_sim/feeds").await["connections"]
            .as_array()
            .unwrap()
            .clone()
    }

    async fn set_feeds(&self, interval_ms: u64, limit: Option<u32>) {
        let settings = json!({ "interval_ms": interval_ms, "market_data_limit": limit });
        assert_eq!(self.put("/_sim/feeds/settings", settings).await.status(), 200);
    }

    async fn generate(&self, app: &str) -> Response {
        self.post(&format!("/_sim/apps/{app}/generate_token"), json!({}))
            .await
    }

    async fn generated(&self, app: &str) -> String {
        let body: Value = self.generate(app).await.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }
}

/// The program's end of a socket.
struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// The next message that is no ping. A socket that is reset or over has none.
    async fn next(&mut self) -> Option<Message> {
        loop {
            let next = timeout(LONGEST, self.0.next()).await.unwrap();
            match next {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn frame(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Message::Binary(frame)) => frame.to_vec(),
            other => panic!("no frame but {other:?}"),
        }
    }

    async fn ask(&mut self, method: &str, instruments: &[&str]) {
        let request = request(method, instruments);
        self.0
            .send(Message::Binary(request.into_bytes().into()))
            .await
            .unwrap();
    }

    /// The code of its goodbye; `None` for an end without one.
    async fn end(&mut self) -> Option<u16> {
        let end = async {
            loop {
                match self.next().await {
                    Some(Message::Close(goodbye)) => return goodbye.map(|goodbye| goodbye.code.into()),
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        timeout(LONGEST, end).await.expect("the socket does not end")
    }

    async fn is_silent(&mut self) -> bool {
        let next = timeout(A_WHILE, self.next()).await;
        next.is_err()
    }
}

fn request(method: &str, instruments: &[&str]) -> String {
    json!({ "guid": "1", "method": method, "data": { "mode": "ltpc", "instrumentKeys": instruments } })
        .to_string()
}

/// Which frame it is, by its first field; the first value of an enumeration is left out.
#[derive(Clone, Copy)]
enum FrameType {
    InitialFeed,
    LiveFeed,
    MarketInfo,
}

fn is(frame: &[u8], frame_type: FrameType) -> bool {
    match frame_type {
        FrameType::InitialFeed => !frame.starts_with(&[8]),
        FrameType::LiveFeed => frame.starts_with(&[8, 1]),
        FrameType::MarketInfo => frame.starts_with(&[8, 2]),
    }
}

fn names(frame: &[u8], instrument: &str) -> bool {
    frame
        .windows(instrument.len())
        .any(|part| part == instrument.as_bytes())
}

#[tokio::test]
async fn an_address_opens_one_socket_of_its_feed() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let address = broker.feed_address(MARKET_DATA, &token).await;
    assert!(address.starts_with("wss://wsfeeder-api.upstox.com/"), "{address}");
    let portfolio = broker.feed_address(PORTFOLIO, &token).await;
    assert!(
        portfolio.starts_with("wss://wsportfolioupdate-api.upstox.com/"),
        "{portfolio}"
    );
    let (path, _) = portfolio.split_once('?').unwrap();
    let (_, code) = address.split_once('?').unwrap();
    assert_eq!(broker.socket(&format!("{path}?{code}")).await.err(), Some(403));

    let address = broker.feed_address(MARKET_DATA, &token).await;
    let _open = broker.socket(&address).await.unwrap();
    assert_eq!(broker.socket(&address).await.err(), Some(403));
    let counters = broker.counters().await;
    assert_eq!(counters["feeds_opened"], 1);
    assert_eq!(counters["feeds_opened_by_app"], json!({ "PRIMARY": 1 }));
    assert_eq!(counters["feeds_refused"], 2);
}

#[tokio::test]
async fn programs_that_follow_no_redirect_are_told_the_address() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let mut open = Vec::new();
    for path in [MARKET_DATA, PORTFOLIO] {
        let answer = broker.with_token(&format!("{path}/authorize"), &token).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        let address = body["data"]["authorized_redirect_uri"].as_str().unwrap();
        assert_eq!(body["data"]["authorizedRedirectUri"], address);
        open.push(broker.socket(address).await.unwrap());
    }
    let feeds: Vec<Value> = broker.connections().await;
    let kinds: Vec<&Value> = feeds.iter().map(|feed| &feed["feed"]).collect();
    assert_eq!(kinds, ["market_data", "portfolio"]);
}

#[tokio::test]
async fn a_dead_token_opens_no_feed() {
    let broker = Broker::start().await;
    let (old, new) = (broker.token(0).await, broker.token(0).await);
    for (path, token) in [
        (MARKET_DATA, "none"),
        (MARKET_DATA, &old),
        (PORTFOLIO, &old),
        ("/v3/feed/market-data-feed/authorize", &old),
    ] {
        let refused = broker.with_token(path, token).await;
        assert_eq!(refused.status(), 401);
        assert_eq!(error_code(&refused.json().await.unwrap()), "UDAPI100050");
    }
    let address = broker.feed_address(MARKET_DATA, &new).await;
    broker.post("/_sim/apps/PRIMARY/revoke_token", json!({})).await;
    assert_eq!(broker.socket(&address).await.err(), Some(403));
    assert_eq!(broker.counters().await["feeds_refused"], 5);
    assert_eq!(broker.counters().await["feeds_opened"], 0);
}

#[tokio::test]
async fn an_address_waits_a_minute() {
    let broker = Broker::start().await;
    broker.noon().await;
    let token = broker.token(0).await;
    let address = broker.feed_address(MARKET_DATA, &token).await;
    broker.noon_and(TimeDelta::seconds(70)).await;
    assert_eq!(broker.socket(&address).await.err(), Some(403));
}

#[tokio::test]
async fn ticks_come_of_what_is_subscribed() {
    let broker = Broker::start().await;
    broker.set_feeds(20, Some(5)).await;
    let token = broker.token(0).await;
    let mut socket = broker.feed(MARKET_DATA, &token).await;
    assert!(is(&socket.frame().await, FrameType::MarketInfo));
    assert!(socket.is_silent().await);

    // The broker takes requests in binary frames only, and passes over what it does not understand.
    let text = request("sub", &[NIFTY]);
    socket.0.send(Message::Text(text.into())).await.unwrap();
    socket.ask("buy", &[NIFTY]).await;
    assert!(socket.is_silent().await);

    socket.ask("sub", &[NIFTY, RELIANCE]).await;
    let snapshot = socket.frame().await;
    assert!(is(&snapshot, FrameType::InitialFeed));
    assert!(names(&snapshot, NIFTY) && names(&snapshot, RELIANCE));
    for _ in 0..3 {
        let tick = socket.frame().await;
        assert!(is(&tick, FrameType::LiveFeed));
        assert!(names(&tick, NIFTY) && names(&tick, RELIANCE));
    }
    socket.ask("unsub", &[NIFTY]).await;
    while names(&socket.frame().await, NIFTY) {}
    assert_eq!(
        broker.connections().await[0]["subscriptions"],
        json!({ RELIANCE: "ltpc" })
    );
    socket.ask("unsub", &[RELIANCE]).await;
    while !socket.is_silent().await {}
}

#[tokio::test]
async fn a_feed_lives_on_when_its_token_is_replaced_and_tells_which_it_was() {
    let broker = Broker::start().await;
    broker.set_feeds(20, Some(5)).await;
    let old = broker.token(0).await;
    let mut socket = broker.ticks(&old).await;
    let first = broker.connections().await[0].clone();
    assert_eq!(
        (&first["app"], &first["account"]),
        (&json!("PRIMARY"), &json!("default"))
    );
    assert_eq!(
        (&first["token"]["number"], &first["token"]["newest"]),
        (&json!(1), &json!(true))
    );

    let new = broker.token(0).await;
    let _on_the_new_one = broker.feed(PORTFOLIO, &new).await;
    sleep(A_WHILE).await;
    for _ in 0..3 {
        assert!(is(&socket.frame().await, FrameType::LiveFeed));
    }
    let feeds = broker.connections().await;
    assert_eq!(feeds.len(), 2);
    let tokens: Vec<_> = feeds
        .iter()
        .map(|feed| (&feed["token"]["number"], &feed["token"]["newest"]))
        .collect();
    assert_eq!(tokens, [(&json!(1), &json!(false)), (&json!(2), &json!(true))]);
    assert_eq!(feeds[0]["token"]["fingerprint"], first["token"]["fingerprint"]);
    assert_ne!(feeds[0]["token"]["fingerprint"], feeds[1]["token"]["fingerprint"]);
    assert!(feeds[0]["ticks_sent"].as_u64() > first["ticks_sent"].as_u64());
    assert!(!json!(feeds).to_string().contains(&old));
}

#[tokio::test]
async fn a_feed_ends_with_its_token() {
    let broker = Broker::start().await;
    broker.noon().await;
    broker.set_feeds(20, Some(5)).await;
    let other = broker.token(1).await;
    let mut unaffected = broker.ticks(&other).await;
    let policy = Some(1008);

    // Also when it is not the newest any more.
    let token = broker.token(0).await;
    let mut socket = broker.ticks(&token).await;
    broker.token(0).await;
    broker.post("/_sim/apps/PRIMARY/revoke_token", json!({})).await;
    assert_eq!(socket.end().await, policy);

    let token = broker.token(0).await;
    let (mut socket, mut portfolio) = (broker.ticks(&token).await, broker.feed(PORTFOLIO, &token).await);
    let log_out = broker.http.delete(format!("{}/v2/logout", broker.url));
    assert_eq!(log_out.bearer_auth(&token).send().await.unwrap().status(), 200);
    assert_eq!(socket.end().await, policy);
    assert_eq!(portfolio.end().await, policy);
    assert!(is(&unaffected.frame().await, FrameType::LiveFeed));
    assert_eq!(broker.connections().await.len(), 1);

    broker.noon_and(TimeDelta::hours(16)).await;
    assert_eq!(unaffected.end().await, policy);
    let counters = broker.counters().await;
    assert_eq!(counters["feeds_ended_by_token"], 4);
    assert_eq!(
        (&counters["feeds_opened"], &counters["max_feeds_open"]),
        (&json!(4), &json!(3))
    );
}

#[tokio::test]
async fn all_feeds_can_be_cut() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let (mut market_data, mut portfolio) = (
        broker.feed(MARKET_DATA, &token).await,
        broker.feed(PORTFOLIO, &token).await,
    );
    let cut: Value = broker
        .post("/_sim/feeds/cut", json!({}))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(cut, json!({ "cut": 2 }));
    assert_eq!((market_data.end().await, portfolio.end().await), (None, None));
    assert_eq!(broker.connections().await, Vec::<Value>::new());
    assert_eq!(broker.counters().await["feeds_ended_by_token"], 0);
}

#[tokio::test]
async fn an_order_update_goes_to_the_feeds_that_asked_for_orders() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let mut asked = [
        broker.feed(PORTFOLIO, &token).await,
        broker
            .feed(&format!("{PORTFOLIO}?update_types=order%2Cposition"), &token)
            .await,
    ];
    let mut other = broker
        .feed(&format!("{PORTFOLIO}?update_types=holding"), &token)
        .await;
    let fields = json!({ "status": "rejected", "tag": "a" });
    let sent: Value = broker
        .post("/_sim/feeds/order_updates", json!({ "fields": fields }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(sent["sent_to"], 2);
    assert_eq!(
        (&sent["update"]["status"], &sent["update"]["user_id"]),
        (&json!("rejected"), &json!("AB1234"))
    );
    for socket in &mut asked {
        let update = socket.next().await.unwrap().into_text().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&update).unwrap(), sent["update"]);
    }
    assert!(other.is_silent().await);
    let nobody = json!({ "account": "nobody" });
    assert_eq!(
        broker.post("/_sim/feeds/order_updates", nobody).await.status(),
        404
    );
}

#[tokio::test]
async fn an_account_has_so_many_feeds_of_market_data_and_no_more() {
    let broker = Broker::start().await;
    let (first, second) = (broker.token(0).await, broker.token(1).await);
    broker.set_feeds(250, Some(2)).await;
    let open = broker.feed(MARKET_DATA, &first).await;
    let _open = broker.feed(MARKET_DATA, &second).await;
    let _not_counted = broker.feed(PORTFOLIO, &second).await;
    let address = broker.feed_address(MARKET_DATA, &second).await;
    assert_eq!(broker.socket(&address).await.err(), Some(403));

    drop(open);
    while broker.connections().await.len() == 3 {
        sleep(Duration::from_millis(10)).await;
    }
    let _open = broker.feed(MARKET_DATA, &second).await;
    broker.set_feeds(250, None).await;
    let _open = broker.feed(MARKET_DATA, &second).await;
}

#[tokio::test]
async fn faults_happen_on_the_way_to_a_feed() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    broker
        .once("feed", "status", json!({ "status": 503, "code": "UDAPI100500" }))
        .await;
    assert_eq!(broker.with_token(MARKET_DATA, &token).await.status(), 503);
    broker
        .once("feed", "new_token_refused", json!({ "ms": 3_600_000 }))
        .await;
    assert_eq!(broker.with_token(MARKET_DATA, &token).await.status(), 401);
    broker.once("feed", "reset_before", json!({})).await;
    let url = format!("{}{MARKET_DATA}", broker.url);
    assert!(broker.http.get(url).bearer_auth(&token).send().await.is_err());
    let _open = broker.feed(MARKET_DATA, &token).await;
    let never = json!({ "scope": "all", "on": "feed", "kind": "wrong_user", "params": {} });
    assert_eq!(broker.post("/_sim/scenarios", never).await.status(), 400);
}

#[tokio::test]
async fn a_token_can_be_generated_without_a_login() {
    let broker = Broker::start().await;
    let (old, new) = (broker.token(0).await, broker.generated("PRIMARY").await);
    assert_eq!(broker.profile(&old).await.status(), 401);
    assert_eq!(broker.profile(&new).await.status(), 200);
    assert_eq!(broker.counters().await["tokens_by_app"], json!({ "PRIMARY": 2 }));
    assert_eq!(
        broker.get("/_sim/secrets").await["access_tokens"],
        json!([old, new])
    );
    assert_eq!(broker.generate("NOBODY").await.status(), 404);
}

#[tokio::test]
async fn open_sockets_end_with_the_simulator() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let mut socket = broker.ticks(&token).await;
    broker.simulator.shutdown().await;
    assert_eq!(socket.end().await, None);
}

impl Broker {
    /// Noon in India, when no token is about to die.
    async fn noon(&self) {
        self.noon_and(TimeDelta::zero()).await;
    }

    async fn noon_and(&self, later: TimeDelta) {
        let clock = self.get("/_sim/clock").await;
        let moved = TimeDelta::seconds(clock["offset_seconds"].as_i64().unwrap());
        let now: DateTime<Utc> = clock["now"].as_str().unwrap().parse().unwrap();
        let noon = now.date_naive().and_hms_opt(6, 30, 0).unwrap().and_utc();
        self.move_clock((noon + later - (now - moved)).num_seconds())
            .await;
    }
}
