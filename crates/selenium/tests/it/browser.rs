//! A headless Chromium without a network. One test starts one and shows it all its documents; it ends with the test,
//! also with one that fails.

use std::process::Stdio;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vega_domain::ids::MobileNumber;
use vega_selenium::{LoginPage, PageSnapshot};

/// The number of the account in all documents.
pub(crate) const MOBILE: &str = "9876500001";

const MISSING: &str = "chromedriver or chromium is missing: `cargo xtask test` installs both, as does \
                       `apt-get install chromium chromium-driver`";

/// A browser and its driver.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Result<Self> {
        // The driver ends when its port is taken on IPv6; another start is another port.
        match Self::start_once().await {
            Ok(browser) => Ok(browser),
            Err(_) => Self::start_once().await,
        }
    }

    async fn start_once() -> Result<Self> {
        let profile = TempDir::with_prefix("vega-page-")?;
        // Killed with its test. The browser, which talks to it through a pipe, then ends by itself.
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context(MISSING)?;
        let mut lines = BufReader::new(driver.stdout.take().context("no output")?).lines();
        let port = loop {
            let line = lines.next_line().await?.context("chromedriver said no port")?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(&profile));
        let client = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .context(MISSING)?;
        Ok(Self {
            client,
            driver,
            _profile: profile,
        })
    }

    pub(crate) async fn go_to(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Shows a document of this kind, such as `text/html`.
    pub(crate) async fn show(&self, kind: &str, document: &str) -> Result<()> {
        let body = BASE64_STANDARD.encode(document);
        self.go_to(&format!("data:{kind};charset=utf-8;base64,{body}"))
            .await
            .with_context(|| format!("could not show {document}"))
    }

    /// Runs a script in the page and waits until its promise is kept.
    pub(crate) async fn run(&self, script: &str) -> Result<()> {
        self.client
            .execute(script, vec![])
            .await
            .context(script.to_owned())?;
        Ok(())
    }

    pub(crate) fn page(&self) -> LoginPage<'_> {
        LoginPage::new(&self.client)
    }

    pub(crate) async fn look(&self) -> Result<PageSnapshot> {
        Ok(self.page().look(&MobileNumber::new(MOBILE)?).await?)
    }

    pub(crate) async fn close(mut self) -> Result<()> {
        self.client.close().await?;
        Ok(self.driver.kill().await?)
    }
}

fn capabilities(profile: &TempDir) -> Capabilities {
    let mut args = vec![
        "--headless=new".to_owned(),
        format!("--user-data-dir={}", profile.path().display()),
        "--remote-debugging-pipe".into(),
        "--no-first-run".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-dev-shm-usage".into(),
        // No name is looked up: Cloudflare's iframe is there, and stays empty.
        "--host-resolver-rules=MAP * ~NOTFOUND".into(),
    ];
    #[cfg(unix)]
    if nix::unistd::geteuid().is_root() {
        args.push("--no-sandbox".into());
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), json!({ "args": args }));
    capabilities
}
