//! A second authorize in the same browser session, and the sign-ins open at once.

use serde_json::json;

use crate::broker::{Broker, Window, code_of};

#[tokio::test]
async fn a_second_authorize_asks_for_what_the_setting_says() {
    for (mode, screen) in [("pin", "\"screen\":\"pin\""), ("otp", "\"screen\":\"mobile\"")] {
        let broker = Broker::start().await;
        let window = Window::new(&broker);
        window.open(0).await;
        window.log_in().await;
        broker
            .put("/_sim/accounts/default/session", json!({ "mode": mode }))
            .await;
        window.open(1).await;
        let page = window.page().await.text().await.unwrap();
        assert!(page.contains(screen), "{mode}");
    }
}

#[tokio::test]
async fn with_no_question_the_redirect_comes_at_once() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.log_in().await;
    broker
        .put("/_sim/accounts/default/session", json!({ "mode": "none" }))
        .await;
    let location = window.open(1).await;
    assert!(location.starts_with(&broker.app(1).redirect_uri), "{location}");
    assert_eq!(broker.exchange(1, &code_of(&location)).await.status(), 200);
    assert_eq!(broker.counters().await["otp_presses"], 1);
    // Another browser has no such cookie.
    assert!(Window::new(&broker).open(1).await.starts_with("/login?"));
}

#[tokio::test]
async fn the_pin_alone_completes_a_second_authorize() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.log_in().await;
    window.open(1).await;
    let done = window.type_pin().await;
    let code = code_of(done["data"]["location"].as_str().unwrap());
    assert_eq!(broker.exchange(1, &code).await.status(), 200);
    let counters = broker.counters().await;
    assert_eq!(
        (&counters["otp_presses"], &counters["pin_entries"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn a_login_can_be_ended_and_ends_after_a_day() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.log_in().await;
    broker.move_clock(24 * 3600 + 1).await;
    window.open(1).await;
    assert!(
        window
            .page()
            .await
            .text()
            .await
            .unwrap()
            .contains("\"screen\":\"mobile\"")
    );
    window.log_in().await;
    broker
        .post("/_sim/accounts/default/log_out_sessions", json!({}))
        .await;
    window.open(2).await;
    assert!(
        window
            .page()
            .await
            .text()
            .await
            .unwrap()
            .contains("\"screen\":\"mobile\"")
    );
}

#[tokio::test]
async fn sign_ins_open_at_once_are_counted() {
    let broker = Broker::start().await;
    let (first, second) = (Window::new(&broker), Window::new(&broker));
    first.open(0).await;
    first.open(1).await;
    assert_eq!(
        broker.counters().await["max_parallel_sign_ins"],
        1,
        "the first one was abandoned"
    );
    first.log_in().await;
    second.open(2).await;
    assert_eq!(
        broker.counters().await["max_parallel_sign_ins"],
        1,
        "the first one was finished"
    );
    first.open(3).await;
    let counters = broker.counters().await;
    assert_eq!(counters["max_parallel_sign_ins"], 2);
    assert_eq!(counters["browser_sessions_seen"], 2);
    assert_eq!(counters["dialogs_opened"], 4);
}

#[tokio::test]
async fn a_sign_in_nobody_finishes_is_abandoned_after_ten_minutes() {
    let broker = Broker::start().await;
    Window::new(&broker).open(0).await;
    broker.move_clock(601).await;
    Window::new(&broker).open(0).await;
    assert_eq!(broker.counters().await["max_parallel_sign_ins"], 1);
}

#[tokio::test]
async fn a_reload_of_the_single_page_starts_over() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    window.open(0).await;
    window.press_get_otp().await;
    assert!(
        window
            .page()
            .await
            .text()
            .await
            .unwrap()
            .contains("\"screen\":\"mobile\"")
    );
    broker
        .once("page", "layout", json!({ "layout": "multi_page" }))
        .await;
    window.open(0).await;
    window.press_get_otp().await;
    assert!(
        window
            .page()
            .await
            .text()
            .await
            .unwrap()
            .contains("\"screen\":\"otp\"")
    );
}
