//! The simulated Upstox of a story, with its controls.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::sleep;
use upstox_simulator::{Seed, Simulator};
use vega_testing::open_hours::time_until_sign_ins_are_open;

use crate::counts::Counts;
use crate::processes::until;

/// A simulator of its own on a free port, with six apps and a simulated human at the window.
pub struct Upstox {
    simulator: Simulator,
    seed: Seed,
    http: ureq::Agent,
}

impl Upstox {
    /// Starts it with one account. The human takes a tenth of a second for each thing it does.
    pub async fn start() -> Result<Self> {
        Self::start_with(Seed::six_apps()).await
    }

    /// The same with two accounts, `default` and `second`, of three apps each, and with a redirect of its own.
    pub async fn start_with_two_accounts() -> Result<Self> {
        let mut seed = seed_with_a_redirect_of_its_own().await?;
        let first = seed.accounts.first_mut().context("an account")?;
        let mut second = first.clone();
        second.apps = first.apps.split_off(3);
        second.name = "second".into();
        second.mobile = "9000000002".into();
        second.user_id = "CD5678".into();
        seed.accounts.push(second);
        Self::start_with(seed).await
    }

    /// The same with one account whose apps send browsers back to a port of this machine that was free just now.
    pub async fn start_with_a_redirect_of_its_own() -> Result<Self> {
        Self::start_with(seed_with_a_redirect_of_its_own().await?).await
    }

    /// The same with a redirect that leads to a server at this port, over TLS.
    pub async fn start_with_a_redirect_over_tls(port: u16) -> Result<Self> {
        let mut seed = Seed::six_apps();
        for app in seed.accounts.iter_mut().flat_map(|account| &mut account.apps) {
            app.redirect_uri = format!("https://localhost:{port}/api/v1/auth/upstox/callback");
        }
        Self::start_with(seed).await
    }

    /// The same with so many apps, for runs of many minutes: nobody is given the port of their redirect meanwhile, whoever
    /// signs in asks for as many OTPs as it takes, and the time of day is for the harness to choose.
    pub async fn start_with_apps(count: usize) -> Result<Self> {
        let mut seed = Seed::six_apps();
        let port = port_that_is_given_to_nobody().await?;
        let account = seed.accounts.first_mut().context("an account")?;
        account.apps.truncate(count);
        send_back_to(&mut seed, port);
        let upstox = Self::start_at_once(seed).await?;
        upstox.otp_limit(u32::MAX).await?;
        Ok(upstox)
    }

    /// Kills every token of its first account, as a change of the static IP does.
    pub async fn revoke_tokens(&self) -> Result<()> {
        self.post("/_sim/accounts/default/revoke_tokens", json!({})).await
    }

    /// A token as Upstox's page for developers makes it by its button "Generate", which ends the app's earlier one.
    pub async fn generated_token(&self, app: &str) -> Result<String> {
        let made = self.asked(&format!("/_sim/apps/{app}/generate_token")).await?;
        Ok(made["access_token"].as_str().context("a token")?.to_owned())
    }

    /// The analytics token of this account, as that page makes it. It ends the earlier one.
    pub async fn analytics_token(&self, account: &str) -> Result<String> {
        let made = self
            .asked(&format!("/_sim/accounts/{account}/analytics_token"))
            .await?;
        Ok(made["access_token"].as_str().context("a token")?.to_owned())
    }

    /// Where the first app sends browsers back to.
    pub fn redirect_uri(&self) -> &str {
        &self.seed.accounts[0].apps[0].redirect_uri
    }

    async fn start_with(seed: Seed) -> Result<Self> {
        sleep(time_until_sign_ins_are_open()).await;
        Self::start_at_once(seed).await
    }

    async fn start_at_once(seed: Seed) -> Result<Self> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulator = Simulator::start(any_port, seed.clone()).await?;
        simulator.simulate_humans(Duration::from_millis(100));
        // A connection of its own for each question: one that lay ready may have ended meanwhile.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .build();
        Ok(Self {
            simulator,
            seed,
            http: config.into(),
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        self.simulator.base_url()
    }

    /// The names of its apps, in the order of signing in.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        let apps = self.seed.accounts.iter().flat_map(|account| &account.apps);
        apps.map(|app| app.name.as_str())
    }

    /// What is configured there.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The human leaves the desk, or comes back.
    pub async fn human_at_the_desk(&self, there: bool) -> Result<()> {
        self.human(json!({ "enabled": there, "delay_ms": 100 })).await
    }

    /// The human at the desk mistypes once (`wrong_otp`, `wrong_pin`), and leaves the desk.
    pub async fn human_mistypes(&self, what: &str) -> Result<()> {
        self.human(json!({ "enabled": true, "delay_ms": 2_000, what: true, "gives_up": true }))
            .await
    }

    /// The human at the desk mistypes once. Whoever is in the window has all the time to see the refusal before the human
    /// types again.
    pub async fn human_mistypes_and_corrects(&self, what: &str) -> Result<()> {
        self.human(json!({ "enabled": true, "delay_ms": 5_000, what: true }))
            .await
    }

    /// The human at the desk also types the mobile number and presses Get OTP, with this pause before each step.
    pub async fn human_does_everything(&self, delay: Duration) -> Result<()> {
        self.human(json!({ "enabled": true, "also_mobile": true, "delay_ms": millis(delay) }))
            .await
    }

    async fn human(&self, settings: Value) -> Result<()> {
        self.put("/_sim/accounts/default/human", settings).await
    }

    /// What a second sign-in of the same browser session asks for: `pin`, `none` or `otp`.
    pub async fn session_mode(&self, mode: &str) -> Result<()> {
        self.put("/_sim/accounts/default/session", json!({ "mode": mode }))
            .await
    }

    /// The machine's time, whatever Upstox's clock says.
    pub async fn machine_time(&self) -> Result<DateTime<Utc>> {
        let (http, url) = (self.http.clone(), self.url("/_sim/clock"));
        let clock: Value = blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await?;
        let now = clock["now"].as_str().context("now")?;
        let offset = clock["offset_seconds"].as_i64().context("offset_seconds")?;
        Ok(DateTime::parse_from_rfc3339(now)?.to_utc() - TimeDelta::seconds(offset))
    }

    /// Moves Upstox's clock.
    pub async fn move_clock(&self, by: TimeDelta) -> Result<()> {
        let offset = json!({ "offset_seconds": by.num_seconds() });
        self.put("/_sim/clock", offset).await
    }

    /// How many OTPs a mobile number may ask for in ten minutes.
    pub async fn otp_limit(&self, limit: u32) -> Result<()> {
        self.put("/_sim/otp_limit", json!({ "limit": limit })).await
    }

    /// The same, and a press beyond it is refused without a word.
    pub async fn silent_otp_limit(&self, limit: u32) -> Result<()> {
        self.put("/_sim/otp_limit", json!({ "limit": limit, "silent": true }))
            .await
    }

    /// Every login page from now on is so.
    pub async fn pages(&self, kind: &str, params: Value) -> Result<()> {
        self.scenario(json!({ "scope": "all", "on": "page", "kind": kind, "params": params }))
            .await
    }

    /// Plays a fault or a delay.
    pub async fn scenario(&self, scenario: Value) -> Result<()> {
        self.post("/_sim/scenarios", scenario).await
    }

    /// Every call of this kind (`exchange`, `profile`) takes two seconds from now on, so that a story can come in between.
    pub async fn is_slow(&self, on: &str) -> Result<()> {
        self.scenario(json!({ "scope": "all", "on": on, "kind": "delay", "params": { "ms": 2_000 } }))
            .await
    }

    /// Ends every fault and delay.
    pub async fn no_scenarios(&self) -> Result<()> {
        let (http, url) = (self.http.clone(), self.url("/_sim/scenarios"));
        blocking(move || accepted(http.delete(url).call()?)).await
    }

    /// Waits until "Get OTP" was pressed once; returns whether it was.
    pub async fn until_otp_is_asked_for(&self) -> bool {
        until(async || self.count("otp_presses").await.is_ok_and(|presses| presses == 1)).await
    }

    /// The newest OTP on the human's phone.
    pub async fn phone(&self) -> Result<Option<String>> {
        let (http, url) = (self.http.clone(), self.url("/_sim/phone/messages"));
        let messages: Value = blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await?;
        let newest = messages.as_array().and_then(|all| all.last());
        Ok(newest
            .and_then(|message| message["otp"].as_str())
            .map(str::to_owned))
    }

    /// The truth about what was done.
    pub async fn counters(&self) -> Result<Value> {
        let (http, url) = (self.http.clone(), self.url("/_sim/counters"));
        blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await
    }

    /// Counts from zero again, and takes the sign-ins that are open for abandoned: their windows are closed.
    pub async fn count_anew(&self) -> Result<()> {
        self.post("/_sim/counters/reset", json!({})).await
    }

    /// Opens an address as a browser with nothing in it does, and follows it; returns once a page is there.
    pub async fn visit(&self, address: &str) -> Result<()> {
        let (http, address) = (self.http.clone(), address.to_owned());
        blocking(move || accepted(http.get(address).call()?)).await
    }

    /// What every story about the login page promises something about.
    pub async fn counts(&self) -> Result<Counts> {
        Counts::of(&self.counters().await?)
    }

    /// Every OTP, state, code and token that arose so far.
    pub async fn secrets(&self) -> Result<Value> {
        let (http, url) = (self.http.clone(), self.url("/_sim/secrets"));
        blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await
    }

    /// One counter.
    pub async fn count(&self, name: &str) -> Result<u64> {
        self.counters().await?[name]
            .as_u64()
            .with_context(|| format!("no counter {name}"))
    }

    /// The status of a profile call with this token.
    pub async fn profile_status(&self, token: &str) -> Result<u16> {
        let (http, url) = (self.http.clone(), self.url("/v2/user/profile"));
        let bearer = format!("Bearer {token}");
        blocking(move || {
            Ok(http
                .get(url)
                .header("Authorization", bearer)
                .call()?
                .status()
                .as_u16())
        })
        .await
    }

    /// Kills a token, as its owner would on the website.
    pub async fn log_out(&self, token: &str) -> Result<()> {
        let (http, url) = (self.http.clone(), self.url("/v2/logout"));
        let bearer = format!("Bearer {token}");
        blocking(move || accepted(http.delete(url).header("Authorization", bearer).call()?)).await
    }

    /// Ends it; a story that only drops it ends it less politely.
    pub async fn shutdown(self) {
        self.simulator.shutdown().await;
    }

    async fn put(&self, path: &str, body: Value) -> Result<()> {
        let (http, url) = (self.http.clone(), self.url(path));
        blocking(move || accepted(http.put(url).send_json(body)?)).await
    }

    async fn post(&self, path: &str, body: Value) -> Result<()> {
        let (http, url) = (self.http.clone(), self.url(path));
        blocking(move || accepted(http.post(url).send_json(body)?)).await
    }

    /// What it answers to a POST without a body.
    async fn asked(&self, path: &str) -> Result<Value> {
        let (http, url) = (self.http.clone(), self.url(path));
        blocking(move || {
            let mut answer = http.post(url).send_empty()?;
            anyhow::ensure!(answer.status().is_success(), "{answer:?}");
            Ok(answer.body_mut().read_json()?)
        })
        .await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url())
    }
}

async fn seed_with_a_redirect_of_its_own() -> Result<Seed> {
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = free.local_addr()?.port();
    let mut seed = Seed::six_apps();
    send_back_to(&mut seed, port);
    Ok(seed)
}

fn send_back_to(seed: &mut Seed, port: u16) {
    for app in seed.accounts.iter_mut().flat_map(|account| &mut account.apps) {
        app.redirect_uri = format!("http://localhost:{port}/api/v1/auth/upstox/callback");
    }
}

/// Below those that systems give to connections.
async fn port_that_is_given_to_nobody() -> Result<u16> {
    for _ in 0..100 {
        let port = fastrand::u16(20_000..32_000);
        if tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free")
}

pub(crate) fn accepted(mut response: ureq::http::Response<ureq::Body>) -> Result<()> {
    let status = response.status();
    anyhow::ensure!(
        status.is_success(),
        "refused with {status}: {}",
        response.body_mut().read_to_string()?
    );
    Ok(())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
