//! A running simulator with a client, and a window: a browser reduced to its cookies and the calls its page makes.

use std::{cell::RefCell, collections::BTreeMap};

use reqwest::{Client, Response, redirect::Policy};
use serde_json::{Value, json};
use upstox_simulator::{Seed, SeedApp, Simulator};

/// A simulator of its own for each test.
pub(crate) struct Broker {
    pub(crate) simulator: Simulator,
    pub(crate) http: Client,
    pub(crate) seed: Seed,
    pub(crate) url: String,
}

impl Broker {
    pub(crate) async fn start() -> Broker {
        Broker::start_with(Seed::six_apps()).await
    }

    pub(crate) async fn start_with(seed: Seed) -> Broker {
        let simulator = Simulator::start(([127, 0, 0, 1], 0).into(), seed.clone())
            .await
            .unwrap();
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let url = simulator.base_url();
        Broker {
            simulator,
            http,
            seed,
            url,
        }
    }

    pub(crate) fn app(&self, index: usize) -> &SeedApp {
        &self.seed.accounts[0].apps[index]
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Response {
        self.http
            .put(format!("{}{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.http
            .post(format!("{}{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn move_clock(&self, seconds: i64) {
        let moved = self
            .put("/_sim/clock", json!({ "offset_seconds": seconds }))
            .await;
        assert_eq!(moved.status(), 200);
    }

    /// Puts a scenario in force for everybody, once.
    pub(crate) async fn once(&self, on: &str, kind: &str, params: Value) {
        let body = json!({ "scope": "all", "on": on, "kind": kind, "times": 1, "params": params });
        let put = self.post("/_sim/scenarios", body).await;
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    }

    pub(crate) async fn counters(&self) -> Value {
        self.get("/_sim/counters").await
    }

    pub(crate) async fn last_otp(&self) -> String {
        let messages = self.get("/_sim/phone/messages").await;
        messages.as_array().unwrap().last().unwrap()["otp"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A code for an app, by a login in a window of its own.
    pub(crate) async fn code(&self, app: usize) -> String {
        let window = Window::new(self);
        window.open(app).await;
        window.log_in().await
    }

    /// The form of a good exchange.
    pub(crate) fn form(&self, app: usize, code: &str) -> Vec<(&'static str, String)> {
        let app = self.app(app);
        vec![
            ("code", code.to_owned()),
            ("client_id", app.client_id.clone()),
            ("client_secret", app.client_secret.clone()),
            ("redirect_uri", app.redirect_uri.clone()),
            ("grant_type", "authorization_code".to_owned()),
        ]
    }

    pub(crate) fn exchange_url(&self) -> String {
        format!("{}/v2/login/authorization/token", self.url)
    }

    pub(crate) async fn exchange(&self, app: usize, code: &str) -> Response {
        self.send_form(&self.form(app, code)).await
    }

    pub(crate) async fn send_form(&self, form: &[(&'static str, String)]) -> Response {
        self.http
            .post(self.exchange_url())
            .form(form)
            .send()
            .await
            .unwrap()
    }

    /// A token for an app, by a login and an exchange.
    pub(crate) async fn token(&self, app: usize) -> String {
        let code = self.code(app).await;
        let body: Value = self.exchange(app, &code).await.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn profile(&self, token: &str) -> Response {
        self.with_token("/v2/user/profile", token).await
    }

    pub(crate) async fn last_price(&self, token: &str) -> Response {
        let path = "/v3/market-quote/ltp?instrument_key=NSE_INDEX%7CNifty%2050";
        self.with_token(path, token).await
    }

    pub(crate) async fn with_token(&self, path: &str, token: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.url))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }
}

/// The error code of an answer in the broker's envelope, which must spell it in both ways.
pub(crate) fn error_code(body: &Value) -> &str {
    let error = &body["errors"][0];
    assert_eq!(error["errorCode"], error["error_code"], "{body}");
    error["error_code"].as_str().unwrap()
}

/// One browser session.
pub(crate) struct Window<'a> {
    broker: &'a Broker,
    cookies: RefCell<BTreeMap<String, String>>,
    transaction: RefCell<String>,
}

impl Window<'_> {
    pub(crate) fn new(broker: &Broker) -> Window<'_> {
        Window {
            broker,
            cookies: RefCell::default(),
            transaction: RefCell::default(),
        }
    }

    fn cookie_line(&self) -> String {
        let cookies = self.cookies.borrow();
        cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep_cookies(&self, response: &Response) {
        for line in response.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            assert!(line.contains("HttpOnly") && line.contains("Path=/"), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned());
        }
    }

    /// Opens the dialog with these query fields and answers as it came.
    pub(crate) async fn dialog(&self, query: &[(&str, &str)]) -> Response {
        let address = format!("{}/v2/login/authorization/dialog", self.broker.url);
        let request = self
            .broker
            .http
            .get(address)
            .query(query)
            .header("cookie", self.cookie_line());
        let response = request.send().await.unwrap();
        self.keep_cookies(&response);
        response
    }

    /// Opens an app's dialog with the state `st/1` and tells where it redirects to.
    pub(crate) async fn open(&self, app: usize) -> String {
        let app = self.broker.app(app);
        let response = self
            .dialog(&[
                ("client_id", &app.client_id),
                ("redirect_uri", &app.redirect_uri),
                ("response_type", "code"),
                ("state", "st/1"),
            ])
            .await;
        assert_eq!(response.status(), 302);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        if let Some((_, transaction)) = location.split_once("txn=") {
            transaction.clone_into(&mut self.transaction.borrow_mut());
        }
        location
    }

    /// Acts on the transaction another window opened.
    pub(crate) fn take_over(&self, other: &Window<'_>) {
        self.transaction.replace(other.transaction.borrow().clone());
    }

    /// Loads the login page of the open dialog.
    pub(crate) async fn page(&self) -> Response {
        let address = format!("{}/login?txn={}", self.broker.url, self.transaction.borrow());
        self.broker
            .http
            .get(address)
            .header("cookie", self.cookie_line())
            .send()
            .await
            .unwrap()
    }

    /// Sends what was typed to the page's backend.
    pub(crate) async fn send(&self, path: &str, value: &str) -> Value {
        let body = json!({ "transaction": *self.transaction.borrow(), "value": value });
        let address = format!("{}/login/api/{path}", self.broker.url);
        let request = self
            .broker
            .http
            .post(address)
            .json(&body)
            .header("cookie", self.cookie_line());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        self.keep_cookies(&response);
        response.json().await.unwrap()
    }

    pub(crate) async fn press_get_otp(&self) -> Value {
        self.send("otp/generate", &self.broker.seed.accounts[0].mobile)
            .await
    }

    pub(crate) async fn type_pin(&self) -> Value {
        self.send("pin/verify", &self.broker.seed.accounts[0].pin).await
    }

    /// Mobile number, OTP and PIN; the answer is the code of the redirect.
    pub(crate) async fn log_in(&self) -> String {
        assert_eq!(self.press_get_otp().await["data"]["screen"], "otp");
        let otp = self.broker.last_otp().await;
        assert_eq!(self.send("otp/verify", &otp).await["data"]["screen"], "pin");
        code_of(self.type_pin().await["data"]["location"].as_str().unwrap())
    }
}

/// The code in a redirect's address.
pub(crate) fn code_of(location: &str) -> String {
    location
        .split_once("code=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap()
        .to_owned()
}
