//! What the login backend refuses: too many presses, wrong and expired OTPs, wrong PINs, locked accounts.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use upstox_simulator::Seed;

use crate::broker::{Broker, Window};

const LIMIT_TEXT: &str = "You have exceeded the maximum number of times you can generate an OTP. \
                          Kindly, try again after 10 mins.";

fn refusal(answer: &Value) -> u64 {
    assert_eq!(answer["success"], false, "{answer}");
    assert!(answer["data"].is_null());
    answer["error"]["code"].as_u64().unwrap()
}

#[tokio::test]
async fn the_sixth_press_in_ten_minutes_is_refused() {
    let broker = Broker::start().await;
    for _ in 0..5 {
        let window = Window::new(&broker);
        window.open(0).await;
        assert_eq!(window.press_get_otp().await["data"]["screen"], "otp");
    }
    let window = Window::new(&broker);
    window.open(0).await;
    let refused = window.press_get_otp().await;
    assert_eq!(refusal(&refused), 1_017_069);
    assert_eq!(refused["error"]["message"], LIMIT_TEXT);
    let counters = broker.counters().await;
    assert_eq!(counters["otp_presses"], 6);
    assert_eq!(counters["otp_presses_by_mobile"], json!({ "9000000001": 6 }));
    assert_eq!(counters["otp_refused"], 1);

    broker.move_clock(601).await;
    assert_eq!(window.press_get_otp().await["data"]["screen"], "otp");
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let broker = Broker::start().await;
    broker
        .put("/_sim/otp_limit", json!({ "limit": 1, "window_seconds": 60 }))
        .await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    assert_eq!(refusal(&window.send("otp/resend", "").await), 1_017_069);
    broker.move_clock(61).await;
    assert_eq!(window.send("otp/resend", "").await["data"]["screen"], "otp");
}

#[tokio::test]
async fn a_silent_limit_counts_the_press_and_says_nothing() {
    let broker = Broker::start().await;
    broker
        .put("/_sim/otp_limit", json!({ "limit": 0, "silent": true }))
        .await;
    let window = Window::new(&broker);
    window.open(0).await;
    let answer = window.press_get_otp().await;
    assert_eq!(refusal(&answer), 1_017_069);
    assert_eq!(answer["error"]["message"], "", "nothing for a toast");
    let counters = broker.counters().await;
    assert_eq!(
        (&counters["otp_presses"], &counters["otp_refused"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(broker.get("/_sim/phone/messages").await, json!([]));
}

#[tokio::test]
async fn an_unknown_mobile_number_is_refused() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    assert_eq!(
        refusal(&window.send("otp/generate", "9999999999").await),
        1_017_016
    );
}

#[tokio::test]
async fn an_otp_expires_and_a_newer_one_replaces_it() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    let first = broker.last_otp().await;
    broker.move_clock(301).await;
    assert_eq!(refusal(&window.send("otp/verify", &first).await), 1_017_076);
    window.send("otp/resend", "").await;
    let second = broker.last_otp().await;
    assert_eq!(window.send("otp/verify", &second).await["data"]["screen"], "pin");
}

#[tokio::test]
async fn five_wrong_otps_or_pins_lock_the_account() {
    for (entry, counter) in [("otp/verify", "wrong_otp"), ("pin/verify", "wrong_pin")] {
        let broker = Broker::start().await;
        let window = Window::new(&broker);
        window.open(0).await;
        window.press_get_otp().await;
        let otp = broker.last_otp().await;
        if entry == "pin/verify" {
            window.send("otp/verify", &otp).await;
        }
        for left in (1..=4).rev() {
            let refused = window.send(entry, "wrong!").await;
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(message.contains(&format!("{left} attempts left")), "{message}");
        }
        assert_eq!(refusal(&window.send(entry, "wrong!").await), 1_017_104);
        assert_eq!(refusal(&window.press_get_otp().await), 1_017_104);
        assert_eq!(broker.get("/_sim/state").await["accounts"][0]["locked"], true);
        assert_eq!(broker.counters().await[counter], 5);

        broker.post("/_sim/accounts/default/unlock", json!({})).await;
        window.log_in().await;
    }
}

#[tokio::test]
async fn a_right_entry_forgives_the_wrong_ones() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    for _ in 0..4 {
        window.send("otp/verify", "wrong!").await;
    }
    let otp = broker.last_otp().await;
    assert_eq!(window.send("otp/verify", &otp).await["success"], true);
    window.open(0).await;
    window.press_get_otp().await;
    let refused = window.send("otp/verify", "wrong!").await;
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("4 attempts left")
    );
}

#[tokio::test]
async fn a_page_can_be_told_to_repeat_what_it_refuses() {
    let broker = Broker::start().await;
    broker.once("page", "repeat_entry", json!({})).await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    let refused = window.send("otp/verify", "wrong!").await;
    let words = "Incorrect OTP or TOTP. You have 4 attempts left. You entered wrong!.";
    assert_eq!(refused["error"]["message"], words);
    window.send("otp/verify", &broker.last_otp().await).await;
    let refused = window.send("pin/verify", "000000").await;
    let words = "Incorrect PIN. You have 4 attempts left. You entered 000000.";
    assert_eq!(refused["error"]["message"], words);
}

#[tokio::test]
async fn a_page_can_be_told_to_add_words_to_what_it_refuses() {
    let broker = Broker::start().await;
    broker
        .once("page", "add_words", json!({ "words": "<b>bold</b>" }))
        .await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    let refused = window.send("otp/verify", "wrong!").await;
    let words = "Incorrect OTP or TOTP. You have 4 attempts left. <b>bold</b>";
    assert_eq!(refused["error"]["message"], words);
}

#[tokio::test]
async fn screens_cannot_be_skipped_and_a_transaction_belongs_to_its_browser() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    assert_eq!(refusal(&window.type_pin().await), 1_017_076);
    window.press_get_otp().await;
    let otp = broker.last_otp().await;
    let stranger = Window::new(&broker);
    stranger.open(0).await;
    stranger.take_over(&window);
    assert_eq!(refusal(&stranger.send("otp/verify", &otp).await), 1_017_076);
    assert_eq!(window.send("otp/verify", &otp).await["data"]["screen"], "pin");
}

#[tokio::test]
async fn a_challenge_stands_before_get_otp_and_consent_after_the_pin() {
    let broker = Broker::start().await;
    broker.once("page", "challenge", json!({})).await;
    broker.once("page", "consent", json!({})).await;
    let window = Window::new(&broker);
    window.open(0).await;
    assert!(
        window
            .page()
            .await
            .text()
            .await
            .unwrap()
            .contains("Verify you are human")
    );
    assert_eq!(refusal(&window.press_get_otp().await), 1_017_101);
    window.send("challenge", "").await;
    let counters = broker.counters().await;
    let ticked = ["challenges_ticked", "challenges_ticked_by_human"].map(|name| &counters[name]);
    assert_eq!(ticked, [1, 0], "another hand than the simulated human's");
    window.press_get_otp().await;
    window.send("otp/verify", &broker.last_otp().await).await;
    assert_eq!(window.type_pin().await["data"]["screen"], "consent");
    let done = window.send("consent", "allow").await;
    assert!(done["data"]["location"].as_str().unwrap().contains("code="));
}

#[tokio::test]
async fn a_totp_of_the_moment_is_as_good_as_the_otp() {
    let mut seed = Seed::six_apps();
    seed.accounts[0].totp_secret = Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned());
    let broker = Broker::start_with(seed).await;
    let now: DateTime<Utc> = broker.get("/_sim/clock").await["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    // RFC 6238 gives the code of this moment.
    broker.move_clock(1_111_111_109 - now.timestamp()).await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    assert_eq!(refusal(&window.send("otp/verify", "287082").await), 1_017_102);
    assert_eq!(window.send("otp/verify", "081804").await["data"]["screen"], "pin");
}
