//! The floor of six sign-ins: the barest WebDriver script. For one app after the other it opens the dialog, types the mobile
//! number and presses Get OTP if the page asks for that, waits for the redirect, exchanges the code and asks for the
//! profile. It checks nothing, keeps nothing and leaves OTP and PIN to the simulated human. Argument: the simulator's address.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

/// How often the script looks where the browser is.
const PAUSE: Duration = Duration::from_millis(5);
const LOOKS: u32 = 4_000;

/// ChromeDriver, which ends with the script.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let upstox = std::env::args().nth(1).context("give the simulator's address")?;
    let state: Value = ureq::get(format!("{upstox}/_sim/state"))
        .call()?
        .body_mut()
        .read_json()?;
    let account = &state["accounts"][0];
    let mobile = text(account, "mobile")?;
    let scratch = tempfile::tempdir()?;
    let (_driver, port) = driver(scratch.path())?;
    let browser = browser(port, scratch.path()).await?;
    for app in account["apps"].as_array().context("apps")? {
        let code = sign_in(&browser, &upstox, mobile, app).await?;
        exchange(&upstox, app, &code)?;
    }
    Ok(browser.close().await?)
}

/// Driver and browser put their short-lived files into `scratch`.
fn driver(scratch: &Path) -> Result<(Driver, u16)> {
    let mut driver = Command::new("chromedriver")
        .args(["--port=0", "--log-level=WARNING"])
        .env("TMPDIR", scratch)
        .stdout(Stdio::piped())
        .spawn()
        .context("chromedriver cannot be started")?;
    let output = driver.stdout.take().context("its output")?;
    let driver = Driver(driver);
    for line in BufReader::new(output).lines() {
        if let Some((_, port)) = line?.split_once("started successfully on port ") {
            return Ok((driver, port.trim_end_matches('.').parse()?));
        }
    }
    anyhow::bail!("chromedriver said no port")
}

/// With what Vega tells the browser, as far as it changes how long things take.
async fn browser(port: u16, scratch: &Path) -> Result<Client> {
    let profile = format!("--user-data-dir={}", scratch.join("profile").display());
    let mut arguments = vec![
        &*profile,
        "--headless=new",
        "--incognito",
        "--remote-debugging-pipe",
        "--no-first-run",
        "--no-default-browser-check",
        "--password-store=basic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        "--host-resolver-rules=MAP localhost:28020 ~NOTFOUND",
    ];
    // Chromium has no sandbox for root.
    if nix::unistd::geteuid().is_root() {
        arguments.push("--no-sandbox");
    }
    let mut wanted = Capabilities::new();
    wanted.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
    wanted.insert("pageLoadStrategy".into(), json!("eager"));
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(wanted);
    Ok(builder.connect(&format!("http://127.0.0.1:{port}")).await?)
}

/// The code that a sign-in ends with.
async fn sign_in(browser: &Client, upstox: &str, mobile: &str, app: &Value) -> Result<String> {
    let redirect = text(app, "redirect_uri")?;
    let mut dialog = Url::parse(upstox)?.join("/v2/login/authorization/dialog")?;
    dialog
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", text(app, "client_id")?)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", "bare");
    browser.goto(dialog.as_str()).await?;
    if let Ok(field) = browser.find(Locator::Id("mobileNum")).await {
        field.send_keys(mobile).await?;
        browser.find(Locator::Id("getOtp")).await?.click().await?;
    }
    for _ in 0..LOOKS {
        let at = browser.current_url().await?;
        if at.as_str().starts_with(redirect) {
            let code = at.query_pairs().find(|(name, _)| name == "code");
            return Ok(code.context("no code in the redirect")?.1.into_owned());
        }
        sleep(PAUSE).await;
    }
    anyhow::bail!("the browser was not sent back")
}

fn exchange(upstox: &str, app: &Value, code: &str) -> Result<()> {
    let form = [
        ("code", code),
        ("client_id", text(app, "client_id")?),
        ("client_secret", text(app, "client_secret")?),
        ("redirect_uri", text(app, "redirect_uri")?),
        ("grant_type", "authorization_code"),
    ];
    let answer: Value = ureq::post(format!("{upstox}/v2/login/authorization/token"))
        .send_form(form)?
        .body_mut()
        .read_json()?;
    let profile: Value = ureq::get(format!("{upstox}/v2/user/profile"))
        .header(
            "Authorization",
            format!("Bearer {}", text(&answer, "access_token")?),
        )
        .call()?
        .body_mut()
        .read_json()?;
    ensure!(profile["status"] == "success", "no profile: {profile}");
    Ok(())
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str> {
    object[name].as_str().with_context(|| format!("no {name}"))
}
