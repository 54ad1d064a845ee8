//! The life of a token: its shape, the profile it opens, and everything that ends it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::broker::{Broker, error_code};

#[tokio::test]
async fn a_token_is_shaped_like_the_brokers_and_unlike_any_other() {
    let broker = Broker::start().await;
    let (first, second) = (broker.token(0).await, broker.token(1).await);
    assert_ne!(first, second);
    assert!((280..=340).contains(&first.len()), "{}", first.len());
    let parts: Vec<&str> = first.split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["exp", "iat", "isMultiClient", "isPlusPlan", "iss", "sub"]);
    assert_eq!(claims["sub"], "AB1234");
    let exp = DateTime::from_timestamp(claims["exp"].as_i64().unwrap(), 0).unwrap();
    let iat = DateTime::from_timestamp(claims["iat"].as_i64().unwrap(), 0).unwrap();
    assert_eq!(exp.format("%H:%M:%S").to_string(), "22:00:00");
    assert!(iat < exp && exp - iat <= TimeDelta::days(1));
}

#[tokio::test]
async fn an_app_has_one_token_and_leaves_those_of_others_alone() {
    let broker = Broker::start().await;
    let (old, other) = (broker.token(0).await, broker.token(1).await);
    let new = broker.token(0).await;
    let refused = broker.profile(&old).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(error_code(&refused.json().await.unwrap()), "UDAPI100050");
    let accepted = broker.profile(&new).await;
    assert_eq!(accepted.status(), 200);
    let body: Value = accepted.json().await.unwrap();
    assert_eq!(
        (&body["status"], &body["data"]["user_id"]),
        (&json!("success"), &json!("AB1234"))
    );
    assert_eq!(broker.profile(&other).await.status(), 200);
    assert_eq!(
        broker.counters().await["tokens_by_app"],
        json!({ "PRIMARY": 2, "WEBSOCKET1": 1 })
    );
}

#[tokio::test]
async fn a_token_dies_at_half_past_three_in_india() {
    let broker = Broker::start().await;
    let now: DateTime<Utc> = broker.get("/_sim/clock").await["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let death = now.date_naive().and_hms_opt(22, 0, 0).unwrap().and_utc();
    // The evening before that death, so that a test run at any hour has room.
    broker
        .move_clock((death - TimeDelta::hours(1) - now).num_seconds())
        .await;
    let token = broker.token(0).await;
    broker
        .move_clock((death - TimeDelta::minutes(1) - now).num_seconds())
        .await;
    assert_eq!(broker.profile(&token).await.status(), 200);
    broker.move_clock((death - now).num_seconds() + 1).await;
    assert_eq!(broker.profile(&token).await.status(), 401);
}

#[tokio::test]
async fn the_date_header_follows_the_clock() {
    let broker = Broker::start().await;
    let now: DateTime<Utc> = broker.get("/_sim/clock").await["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let target: DateTime<Utc> = "2031-03-04T05:06:07Z".parse().unwrap();
    broker.move_clock((target - now).num_seconds()).await;
    let date = broker.profile("none").await.headers()["date"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        date.starts_with("Tue, 04 Mar 2031 05:0") && date.ends_with(" GMT"),
        "{date}"
    );
}

#[tokio::test]
async fn a_logout_ends_its_token_only() {
    let broker = Broker::start().await;
    let (token, other) = (broker.token(0).await, broker.token(1).await);
    let log_out = async || {
        broker
            .http
            .delete(format!("{}/v2/logout", broker.url))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
    };
    let body: Value = log_out().await.json().await.unwrap();
    assert_eq!(body, json!({ "status": "success", "data": true }));
    assert_eq!(broker.profile(&token).await.status(), 401);
    assert_eq!(broker.profile(&other).await.status(), 200);
    let again = log_out().await;
    assert_eq!(again.status(), 401);
    let body: Value = again.json().await.unwrap();
    assert!(
        body.get("errors").is_none() && body.get("stackTrace").is_some(),
        "{body}"
    );
    assert_eq!(broker.counters().await["logouts"], 1);
}

#[tokio::test]
async fn all_tokens_of_an_account_can_be_revoked() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    broker
        .post("/_sim/accounts/default/revoke_tokens", json!({}))
        .await;
    assert_eq!(broker.profile(&token).await.status(), 401);
}

#[tokio::test]
async fn one_apps_token_can_be_revoked() {
    let broker = Broker::start().await;
    let (token, other) = (broker.token(0).await, broker.token(1).await);
    let revoked = broker.post("/_sim/apps/PRIMARY/revoke_token", json!({})).await;
    assert_eq!(revoked.status(), 200);
    assert_eq!(broker.profile(&token).await.status(), 401);
    assert_eq!(broker.last_price(&token).await.status(), 401);
    assert_eq!(broker.profile(&other).await.status(), 200);
    let nobody = broker.post("/_sim/apps/NOBODY/revoke_token", json!({})).await;
    assert_eq!(nobody.status(), 404);
}

#[tokio::test]
async fn a_living_token_opens_the_last_price() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let answer = broker.last_price(&token).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body["data"]["NSE_INDEX:Nifty 50"]["instrument_token"],
        "NSE_INDEX|Nifty 50"
    );
    let refused = broker.last_price("not-a-token").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(error_code(&refused.json().await.unwrap()), "UDAPI100050");
    assert_eq!(broker.counters().await["last_price_calls"], 2);
}

/// Dead to one call and alive to the other; refused for another cause; refused while it is new.
#[tokio::test]
async fn a_token_can_be_refused_by_one_call_alone() {
    let broker = Broker::start().await;
    let token = broker.token(0).await;
    let dead = json!({ "status": 401, "code": "UDAPI100050" });
    broker.once("profile", "status", dead).await;
    assert_eq!(broker.profile(&token).await.status(), 401);
    assert_eq!(broker.last_price(&token).await.status(), 200);

    let address = json!({ "status": 401, "code": "UDAPI1221", "also": ["UDAPI100050"] });
    broker.once("last_price", "status", address).await;
    let body: Value = broker.last_price(&token).await.json().await.unwrap();
    assert_eq!(error_code(&body), "UDAPI1221");
    assert_eq!(body["errors"][1]["error_code"], "UDAPI100050");
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("static IP")
    );
    assert_eq!(broker.profile(&token).await.status(), 200);

    broker
        .once("profile", "new_token_refused", json!({ "ms": 3_600_000 }))
        .await;
    assert_eq!(broker.profile(&token).await.status(), 401);
    assert_eq!(broker.profile(&token).await.status(), 200);
    broker
        .once("profile", "new_token_refused", json!({ "ms": 0 }))
        .await;
    assert_eq!(broker.profile(&token).await.status(), 200);
}

#[tokio::test]
async fn the_calendar_knows_weekends_and_holidays() {
    let broker = Broker::start().await;
    let length = async |path: &str| broker.get(path).await["data"].as_array().unwrap().len();
    assert_eq!(length("/v2/market/timings/2026-11-23").await, 7);
    assert_eq!(length("/v2/market/timings/2026-11-22").await, 0);
    assert_eq!(length("/v2/market/timings/2026-01-26").await, 0);
    assert_eq!(length("/v2/market/holidays/2026-01-26").await, 1);
    assert_eq!(length("/v2/market/holidays/2026-01-27").await, 0);
    assert!(length("/v2/market/holidays").await > 0);
    assert_eq!(
        error_code(&broker.get("/v2/market/timings/tomorrow").await),
        "UDAPI1088"
    );
}
