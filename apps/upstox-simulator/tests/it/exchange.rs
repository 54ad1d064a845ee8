//! The dialog's checks and the token endpoint: what a code is good for, and how often.

use serde_json::Value;

use crate::broker::{Broker, Window, error_code};

#[tokio::test]
async fn the_main_path_ends_in_a_flat_answer_with_a_token() {
    let broker = Broker::start().await;
    let window = Window::new(&broker);
    let login = window.open(0).await;
    assert!(
        login.starts_with("/login?") && !login.contains(&broker.app(0).client_id),
        "{login}"
    );
    let page = window.page().await.text().await.unwrap();
    for id in [
        "mobileNum",
        "getOtp",
        "otpNum",
        "continueBtn",
        "pinCode",
        "pinContinueBtn",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is missing");
    }
    window.press_get_otp().await;
    window.send("otp/verify", &broker.last_otp().await).await;
    let done = window.type_pin().await;
    let location = done["data"]["location"].as_str().unwrap();
    let (before, state) = location.split_once("&state=").unwrap();
    assert_eq!(state, "st%2F1");
    let (uri, code) = before.split_once("?code=").unwrap();
    assert_eq!(uri, broker.app(0).redirect_uri);
    assert!(
        code.len() == 6 && code.chars().all(|letter| letter.is_ascii_alphanumeric()),
        "{code}"
    );

    let answer = broker.exchange(0, code).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert!(
        body.get("status").is_none() && body.get("data").is_none(),
        "{body}"
    );
    assert_eq!(body["user_id"], "AB1234");
    assert!(body.get("extended_token").is_none());
    for field in [
        "email",
        "exchanges",
        "products",
        "broker",
        "user_name",
        "order_types",
        "user_type",
        "poa",
    ] {
        assert!(body.get(field).is_some(), "{field} is missing");
    }
}

#[tokio::test]
async fn a_code_works_once() {
    let broker = Broker::start().await;
    let code = broker.code(0).await;
    assert_eq!(broker.exchange(0, &code).await.status(), 200);
    let again = broker.exchange(0, &code).await;
    assert_eq!(again.status(), 401);
    assert_eq!(error_code(&again.json().await.unwrap()), "UDAPI100057");
    assert_eq!(broker.counters().await["max_exchanges_of_one_code"], 2);
}

#[tokio::test]
async fn a_code_is_spent_by_an_exchange_that_fails() {
    for (field, wrong, expected) in [
        ("client_secret", "not-it", "UDAPI100069"),
        ("client_id", "not-it", "UDAPI100069"),
        (
            "redirect_uri",
            "http://127.0.0.1:28020/api/v1/auth/upstox/callback",
            "UDAPI100070",
        ),
        ("grant_type", "password", "UDAPI1023"),
    ] {
        let broker = Broker::start().await;
        let code = broker.code(0).await;
        let mut form = broker.form(0, &code);
        form.iter_mut().find(|(name, _)| *name == field).unwrap().1 = wrong.to_owned();
        let body: Value = broker.send_form(&form).await.json().await.unwrap();
        assert_eq!(error_code(&body), expected);
        let second: Value = broker.exchange(0, &code).await.json().await.unwrap();
        assert_eq!(error_code(&second), "UDAPI100057", "after a wrong {field}");
        assert_eq!(broker.counters().await["tokens_issued"], 0);
    }
}

#[tokio::test]
async fn credentials_are_checked_before_the_code() {
    let broker = Broker::start().await;
    let mut form = broker.form(0, "nocode");
    form[2].1 = "not-it".to_owned();
    let body: Value = broker.send_form(&form).await.json().await.unwrap();
    assert_eq!(error_code(&body), "UDAPI100069");
}

#[tokio::test]
async fn a_code_is_bound_to_its_app_and_grows_old() {
    let broker = Broker::start().await;
    let code = broker.code(0).await;
    let other: Value = broker.exchange(1, &code).await.json().await.unwrap();
    assert_eq!(error_code(&other), "UDAPI100057");

    let code = broker.code(0).await;
    broker.move_clock(110).await;
    assert_eq!(broker.exchange(0, &code).await.status(), 200);
    let code = broker.code(0).await;
    broker.move_clock(110 + 121).await;
    let late: Value = broker.exchange(0, &code).await.json().await.unwrap();
    assert_eq!(error_code(&late), "UDAPI100057");
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let broker = Broker::start().await;
    for (field, expected) in [
        ("code", "UDAPI1022"),
        ("client_id", "UDAPI1017"),
        ("client_secret", "UDAPI1024"),
        ("redirect_uri", "UDAPI1018"),
        ("grant_type", "UDAPI1023"),
    ] {
        let mut form = broker.form(0, "abc123");
        form.retain(|(name, _)| *name != field);
        let answer = broker.send_form(&form).await;
        assert_eq!(answer.status(), 400, "without {field}");
        assert_eq!(error_code(&answer.json().await.unwrap()), expected);
    }
}

#[tokio::test]
async fn only_a_form_is_taken() {
    let broker = Broker::start().await;
    let code = broker.code(0).await;
    let form: serde_json::Map<_, _> = broker
        .form(0, &code)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let answer = broker.post("/v2/login/authorization/token", form.into()).await;
    assert_eq!(answer.status(), 415);
}

#[tokio::test]
async fn the_dialog_answers_mistakes_with_json_and_never_redirects() {
    let broker = Broker::start().await;
    let (key, uri) = (
        broker.app(0).client_id.clone(),
        broker.app(0).redirect_uri.clone(),
    );
    let slash = format!("{uri}/");
    for (query, expected) in [
        (
            vec![
                ("client_id", "no"),
                ("redirect_uri", uri.as_str()),
                ("response_type", "code"),
            ],
            "UDAPI100068",
        ),
        (
            vec![
                ("client_id", &key),
                ("redirect_uri", &slash),
                ("response_type", "code"),
            ],
            "UDAPI100068",
        ),
        (
            vec![
                ("client_id", &key),
                ("redirect_uri", &uri),
                ("response_type", "token"),
            ],
            "UDAPI100068",
        ),
        (vec![("client_id", &key), ("response_type", "code")], "UDAPI1018"),
        (
            vec![("redirect_uri", &uri), ("response_type", "code")],
            "UDAPI1017",
        ),
    ] {
        let answer = Window::new(&broker).dialog(&query).await;
        assert!(answer.status().is_client_error(), "{query:?}");
        assert_eq!(error_code(&answer.json().await.unwrap()), expected, "{query:?}");
    }
    assert_eq!(broker.counters().await["dialogs_opened"], 0);
}

#[tokio::test]
async fn an_unknown_path_is_answered_as_the_broker_does() {
    let broker = Broker::start().await;
    let answer = broker
        .http
        .get(format!("{}/v2/nowhere", broker.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(error_code(&answer.json().await.unwrap()), "UDAPI100060");
}
