//! Every fault the endpoints can be told to have, and that each one happens to whom, where and as often as told.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::broker::{Broker, Window, error_code};

/// Sends an exchange over a bare socket; the answer is every byte that came back.
async fn bytes_of_exchange(broker: &Broker, code: &str) -> Vec<u8> {
    let form: Vec<String> = broker
        .form(0, code)
        .into_iter()
        .map(|(name, value)| format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F")))
        .collect();
    let form = form.join("&");
    let request = format!(
        "POST /v2/login/authorization/token HTTP/1.1\r\nHost: sim\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut socket = TcpStream::connect(broker.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let ended = timeout(Duration::from_secs(5), socket.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection stayed open");
    bytes
}

#[tokio::test]
async fn a_reset_before_the_exchange_leaves_the_code_good() {
    let broker = Broker::start().await;
    let code = broker.code(0).await;
    broker.once("exchange", "reset_before", json!({})).await;
    assert_eq!(bytes_of_exchange(&broker, &code).await, b"");
    assert_eq!(broker.counters().await["tokens_issued"], 0);
    assert_eq!(broker.exchange(0, &code).await.status(), 200);
    assert_eq!(broker.counters().await["exchanges"], 2);
}

#[tokio::test]
async fn a_reset_after_the_exchange_has_issued_the_token() {
    let broker = Broker::start().await;
    let old = broker.token(0).await;
    let code = broker.code(0).await;
    broker.once("exchange", "reset_after", json!({})).await;
    assert_eq!(bytes_of_exchange(&broker, &code).await, b"");
    assert_eq!(broker.counters().await["tokens_issued"], 2);
    assert_eq!(
        broker.profile(&old).await.status(),
        401,
        "the new token killed it"
    );
    assert_eq!(
        error_code(&broker.exchange(0, &code).await.json().await.unwrap()),
        "UDAPI100057"
    );
}

#[tokio::test]
async fn a_client_sees_a_reset_as_an_error() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    for kind in ["reset_before", "reset_after"] {
        broker.once("profile", kind, json!({})).await;
        let request = broker
            .http
            .get(format!("{}/v2/user/profile", broker.url))
            .bearer_auth(&token);
        assert!(request.send().await.is_err(), "{kind}");
    }
    assert_eq!(broker.profile(&token).await.status(), 200);
}

#[tokio::test]
async fn an_error_can_come_before_or_after_the_work() {
    let broker = Broker::start().await;
    let code = broker.code(0).await;
    broker
        .once(
            "exchange",
            "status",
            json!({ "status": 503, "code": "UDAPI100500" }),
        )
        .await;
    let answer = broker.exchange(0, &code).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(error_code(&answer.json().await.unwrap()), "UDAPI100500");
    broker
        .once("exchange", "status", json!({ "status": 500, "after": true }))
        .await;
    assert_eq!(broker.exchange(0, &code).await.status(), 500);
    assert_eq!(broker.counters().await["tokens_issued"], 1);
    assert_eq!(broker.exchange(0, &code).await.status(), 401);
}

#[tokio::test]
async fn throttling_and_the_firewall_come_as_the_broker_sends_them() {
    let broker = Broker::start().await;
    broker.once("profile", "rate_limited", json!({})).await;
    let answer = broker.profile("none").await;
    assert_eq!(answer.status(), 429);
    assert_eq!(error_code(&answer.json().await.unwrap()), "UDAPI10005");

    broker.once("profile", "cloudflare_html", json!({})).await;
    let answer = broker.profile("none").await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["server"], "cloudflare");
    assert!(answer.headers().contains_key("cf-mitigated"));
    assert!(answer.text().await.unwrap().contains("error code: 1010"));
}

#[tokio::test]
async fn bodies_can_be_spoilt() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;

    broker.once("profile", "non_json", json!({})).await;
    assert!(broker.profile(&token).await.json::<Value>().await.is_err());

    broker.once("profile", "truncated", json!({})).await;
    let half = broker.profile(&token).await.text().await.unwrap();
    assert!(half.starts_with('{') && serde_json::from_str::<Value>(&half).is_err());

    broker
        .once("profile", "truncated", json!({ "drop_connection": true }))
        .await;
    assert!(broker.profile(&token).await.text().await.is_err());

    broker
        .once("profile", "huge_body", json!({ "bytes": 3_000_000 }))
        .await;
    assert!(broker.profile(&token).await.bytes().await.unwrap().len() > 3_000_000);
}

#[tokio::test]
async fn fields_of_a_good_answer_can_be_changed() {
    let broker = Broker::start().await;
    let exchanged = async |kind: &str, params: Value| {
        let code = broker.code(0).await;
        broker.once("exchange", kind, params).await;
        broker.exchange(0, &code).await.text().await.unwrap()
    };
    let body: Value =
        serde_json::from_str(&exchanged("wrong_user", json!({ "user_id": "QQ1" })).await).unwrap();
    assert_eq!(body["user_id"], "QQ1");
    let body: Value = serde_json::from_str(&exchanged("missing_access_token", json!({})).await).unwrap();
    assert!(body.get("access_token").is_none() && body["user_id"] == "AB1234");
    let body: Value = serde_json::from_str(&exchanged("with_extended_token", json!({})).await).unwrap();
    assert!(body["extended_token"].is_string() && body["access_token"].is_string());
    let text = exchanged("duplicate_key", json!({})).await;
    assert_eq!(text.matches("\"access_token\"").count(), 2);

    let token = broker.token(0).await;
    broker.once("profile", "wrong_user", json!({})).await;
    let body: Value = broker.profile(&token).await.json().await.unwrap();
    assert_eq!(body["data"]["user_id"], "ZZ9999");
}

#[tokio::test]
async fn a_delay_goes_together_with_another_fault_and_shows_calls_in_flight() {
    let broker = Broker::start().await;
    let body = json!({ "scope": "all", "on": "profile", "kind": "delay", "params": { "ms": 120 } });
    broker.post("/_sim/scenarios", body).await;
    broker.once("profile", "rate_limited", json!({})).await;
    let began = Instant::now();
    let (first, second) = tokio::join!(broker.profile("none"), broker.profile("none"));
    assert!(began.elapsed() >= Duration::from_millis(120));
    let mut statuses = [first.status().as_u16(), second.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [401, 429]);
    let counters = broker.counters().await;
    assert_eq!(
        (
            &counters["profile_calls"],
            &counters["max_profile_calls_in_flight"]
        ),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn a_scenario_keeps_to_its_scope_and_its_times() {
    let broker = Broker::start().await;
    let (first, second) = (broker.token(0).await, broker.token(1).await);
    let body = json!({ "scope": { "app": "PRIMARY" }, "on": "profile", "kind": "status", "times": 2,
                       "params": { "status": 500 } });
    broker.post("/_sim/scenarios", body).await;
    assert_eq!(broker.profile(&second).await.status(), 200);
    assert_eq!(broker.profile(&first).await.status(), 500);
    assert_eq!(broker.get("/_sim/scenarios").await[0]["times"], 1);
    assert_eq!(broker.profile(&first).await.status(), 500);
    assert_eq!(broker.profile(&first).await.status(), 200);
    assert_eq!(broker.get("/_sim/scenarios").await, json!([]));

    let body = json!({ "scope": { "account": "default" }, "on": "profile", "kind": "rate_limited" });
    broker.post("/_sim/scenarios", body).await;
    for token in [&first, &second, &first] {
        assert_eq!(broker.profile(token).await.status(), 429);
    }
    broker
        .http
        .delete(format!("{}/_sim/scenarios", broker.url))
        .send()
        .await
        .unwrap();
    assert_eq!(broker.profile(&first).await.status(), 200);
}

#[tokio::test]
async fn a_scenario_that_could_never_happen_is_refused() {
    let broker = Broker::start().await;
    for body in [
        json!({ "scope": "all", "on": "profile", "kind": "challenge" }),
        json!({ "scope": "all", "on": "page", "kind": "rate_limited" }),
        json!({ "scope": "all", "on": "exchange", "kind": "no_such_kind" }),
        json!({ "scope": "all", "on": "exchange", "kind": "delay", "params": { "milliseconds": 3 } }),
    ] {
        let answer = broker.post("/_sim/scenarios", body.clone()).await;
        assert_eq!(answer.status(), 400, "{body}");
    }
}

#[tokio::test]
async fn the_dialog_can_refuse_an_app() {
    let broker = Broker::start().await;
    broker
        .once("dialog", "authorize_error", json!({ "code": "UDAPI100073" }))
        .await;
    let app = broker.app(0);
    let query = [
        ("client_id", &*app.client_id),
        ("redirect_uri", &app.redirect_uri),
        ("response_type", "code"),
    ];
    let answer = Window::new(&broker).dialog(&query).await;
    assert_eq!(error_code(&answer.json().await.unwrap()), "UDAPI100073");
    assert_eq!(Window::new(&broker).dialog(&query).await.status(), 302);
}

#[tokio::test]
async fn the_redirect_can_be_spoilt() {
    let broker = Broker::start().await;
    for (kind, expected) in [
        ("redirect_without_state", Some("")),
        ("redirect_wrong_state", Some("&state=a-state-nobody-sent")),
        ("never_redirect", None),
    ] {
        broker.once("page", kind, json!({})).await;
        let window = Window::new(&broker);
        window.open(0).await;
        window.press_get_otp().await;
        window.send("otp/verify", &broker.last_otp().await).await;
        let done = window.type_pin().await;
        let tail = done["data"]["location"]
            .as_str()
            .map(|at| &at[at.find("code=").unwrap() + 11..]);
        assert_eq!(tail, expected, "{kind}");
    }
    assert_eq!(broker.counters().await["codes_issued"], 2);
}

#[tokio::test]
async fn the_page_can_be_blocked_changed_and_slow() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    broker.once("page", "cloudflare_html", json!({})).await;
    window.open(0).await;
    assert_eq!(window.page().await.status(), 403);

    broker
        .once("page", "layout", json!({ "layout": "changed" }))
        .await;
    window.open(0).await;
    let page = window.page().await.text().await.unwrap();
    assert!(!page.contains("mobileNum") && page.contains("Let's get started"));

    broker
        .once("page", "layout", json!({ "layout": "unfamiliar" }))
        .await;
    window.open(0).await;
    let page = window.page().await.text().await.unwrap();
    for telltale in [
        "mobileNum",
        "<form",
        "type=\"submit\"",
        "type=\"tel\"",
        "type=\"password\"",
        "placeholder",
    ] {
        assert!(!page.contains(telltale), "{telltale}: {page}");
    }
    assert!(page.contains("Welcome back"), "{page}");

    broker.once("page", "slow_page", json!({ "ms": 80 })).await;
    window.open(0).await;
    let began = Instant::now();
    assert_eq!(window.page().await.status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(80));

    broker
        .once("page", "cloudflare_html", json!({ "at": "after_pin" }))
        .await;
    window.open(0).await;
    window.press_get_otp().await;
    window.send("otp/verify", &broker.last_otp().await).await;
    assert_eq!(window.type_pin().await["data"]["screen"], "blocked");
    assert_eq!(broker.counters().await["codes_issued"], 0);
}
