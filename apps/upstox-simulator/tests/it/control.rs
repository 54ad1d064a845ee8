//! The switchboard itself: state, the simulated human, the reset of the counters, and a shutdown that ends.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use upstox_simulator::{Seed, SeedAccount, Simulator};

use crate::broker::{Broker, Window};

#[tokio::test]
async fn the_state_shows_accounts_with_their_secrets() {
    let broker = Broker::start().await;
    let state = broker.get("/_sim/state").await;
    let account = &state["accounts"][0];
    assert_eq!(account["name"], "default");
    assert_eq!(account["pin"], broker.seed.accounts[0].pin);
    assert_eq!(account["apps"].as_array().unwrap().len(), 6);
    assert_eq!(account["apps"][5]["client_secret"], broker.app(5).client_secret);
    assert_eq!(account["session"], "pin");
    assert_eq!(account["human"]["enabled"], false);
    assert_eq!(state["clock"]["offset_seconds"], 0);
}

#[tokio::test]
async fn every_secret_that_arose_is_listed() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    let code = window.log_in().await;
    let app = broker.get("/_sim/state").await["accounts"][0]["apps"][0]["name"].clone();
    broker.once("exchange", "with_extended_token", json!({})).await;
    let answer: Value = broker.exchange(0, &code).await.json().await.unwrap();
    assert!(answer["extended_token"].is_string(), "{answer}");
    assert_eq!(
        broker.get("/_sim/secrets").await,
        json!({
            "otps": [broker.last_otp().await],
            "states": ["st/1"],
            "codes": [code],
            "access_tokens": [answer["access_token"]],
            "extended_tokens": [answer["extended_token"]],
            "issued": [{ "app": app, "code": code, "access_token": answer["access_token"], "state": "st/1" }],
        })
    );
}

#[tokio::test]
async fn the_human_knows_the_secrets_and_mistypes_once() {
    let broker = Broker::start().await;
    let human = json!({ "enabled": true, "delay_ms": 7, "wrong_otp": true });
    assert_eq!(
        broker.put("/_sim/accounts/default/human", human).await.status(),
        200
    );
    let window = Window::new(&broker);
    let login = window.open(0).await;
    let transaction = login.split_once("txn=").unwrap().1;
    let presence = broker
        .get(&format!("/login/api/human?transaction={transaction}"))
        .await;
    assert_eq!(
        presence,
        json!({ "enabled": true, "delay_ms": 7, "also_mobile": false })
    );
    window.press_get_otp().await;
    let otp = broker.last_otp().await;
    let slip = window.send("human/entry", "").await;
    assert!(
        slip["mistyped"] == true && slip["value"] != otp.as_str(),
        "{slip}"
    );
    assert_eq!(
        window.send("human/entry", "").await,
        json!({ "value": otp, "mistyped": false })
    );
    window.send("otp/verify", &otp).await;
    assert_eq!(
        window.send("human/entry", "").await["value"],
        broker.seed.accounts[0].pin
    );
}

#[tokio::test]
async fn a_human_who_gives_up_types_nothing_more() {
    let broker = Broker::start().await;
    let human = json!({ "enabled": true, "wrong_otp": true, "gives_up": true });
    assert_eq!(
        broker.put("/_sim/accounts/default/human", human).await.status(),
        200
    );
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    assert_eq!(window.send("human/entry", "").await["mistyped"], true);
    let next = window.send("human/entry", "").await;
    assert!(next["value"].is_null(), "{next}");
}

#[tokio::test]
async fn wrong_settings_are_refused_in_words() {
    let broker = Broker::start().await;
    let unknown = broker
        .put("/_sim/accounts/nobody/session", json!({ "mode": "pin" }))
        .await;
    assert_eq!(unknown.status(), 404);
    for (path, body) in [
        ("/_sim/accounts/default/session", json!({ "mode": "sms" })),
        ("/_sim/accounts/default/human", json!({ "enable": true })),
        ("/_sim/clock", json!({ "offset_seconds": i64::MAX })),
        ("/_sim/otp_limit", json!({ "limit": -1 })),
    ] {
        let answer = broker.put(path, body).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
    }
}

#[tokio::test]
async fn the_counters_go_back_to_zero() {
    let broker = Broker::start().await;
    broker.token(0).await;
    Window::new(&broker).open(0).await;
    let counters = broker.counters().await;
    assert_eq!(counters["logins_completed"], 1);
    assert_eq!(counters["exchanges_by_code"].as_object().unwrap().len(), 1);
    assert_eq!(broker.post("/_sim/counters/reset", json!({})).await.status(), 204);
    let zeroed = broker.counters().await;
    for (name, value) in zeroed.as_object().unwrap() {
        assert!(*value == json!(0) || *value == json!({}), "{name} is {value}");
    }
    Window::new(&broker).open(0).await;
    assert_eq!(
        broker.counters().await["max_parallel_sign_ins"],
        1,
        "the reset forgot the open one"
    );
}

#[tokio::test]
async fn a_token_belongs_to_whoever_logged_in() {
    let mut seed = Seed::six_apps();
    seed.accounts.push(SeedAccount {
        name: "other".to_owned(),
        mobile: "9000000002".to_owned(),
        pin: "135791".to_owned(),
        totp_secret: None,
        user_id: "CD5678".to_owned(),
        apps: Vec::new(),
    });
    let broker = Broker::start_with(seed).await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.send("otp/generate", "9000000002").await;
    window.send("otp/verify", &broker.last_otp().await).await;
    let done = window.send("pin/verify", "135791").await;
    let code = crate::broker::code_of(done["data"]["location"].as_str().unwrap());
    let body: Value = broker.exchange(0, &code).await.json().await.unwrap();
    assert_eq!(body["user_id"], "CD5678");
}

#[tokio::test]
async fn a_seed_no_broker_could_hold_is_refused() {
    let mut seed = Seed::six_apps();
    seed.accounts[0].pin = "12345".to_owned();
    assert!(Simulator::start(([127, 0, 0, 1], 0).into(), seed).await.is_err());
    let mut seed = Seed::six_apps();
    seed.accounts[0].apps[1].client_id = seed.accounts[0].apps[0].client_id.clone();
    assert!(Simulator::start(([127, 0, 0, 1], 0).into(), seed).await.is_err());
}

#[tokio::test]
async fn a_shutdown_ends_with_a_call_still_open() {
    let broker = Broker::start().await;
    broker.once("profile", "delay", json!({ "ms": 60_000 })).await;
    let request = broker.http.get(format!("{}/v2/user/profile", broker.url)).send();
    let open = tokio::spawn(request);
    while broker.counters().await["profile_calls"] == 0 {
        tokio::task::yield_now().await;
    }
    let url = broker.url.clone();
    timeout(Duration::from_secs(5), broker.simulator.shutdown())
        .await
        .unwrap();
    assert!(open.await.unwrap().is_err());
    assert!(broker.http.get(url).send().await.is_err());
}
