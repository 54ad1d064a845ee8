//! A hand on the browser window: a driver that the story starts and `vega` is told to use, so that both act in the same
//! window. A human could do all of it with the mouse.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::desk::Desk;
use crate::processes::until;
use crate::upstox::{accepted, blocking};

/// The window that `vega` opens.
pub struct Window {
    driver: Child,
    url: String,
    http: ureq::Agent,
}

impl Window {
    /// Starts the driver at this desk and sets it for every `vega` from now on.
    pub async fn at(desk: &mut Desk) -> Result<Self> {
        let window = Self::driven_at(desk).await?;
        desk.set("VEGA__BROWSER__WEBDRIVER_URL", &window.url);
        Ok(window)
    }

    /// Starts a driver that `vega` knows nothing of.
    pub(crate) async fn driven_at(desk: &Desk) -> Result<Self> {
        // It ends when its port is taken on IPv6; another start is another port.
        match Self::driven_by_one_start(desk).await {
            Ok(window) => Ok(window),
            Err(_) => Self::driven_by_one_start(desk).await,
        }
    }

    async fn driven_by_one_start(desk: &Desk) -> Result<Self> {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut driver = desk.at_home(&mut command).spawn().context("no chromedriver")?;
        let mut lines = BufReader::new(driver.stdout.take().context("its output")?).lines();
        let port = loop {
            let line = lines.next_line().await?.context("the driver says no port")?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Read on, or the driver stops when the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = format!("http://127.0.0.1:{port}");
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Ok(Self {
            driver,
            url,
            http: config.into(),
        })
    }

    /// Closes it.
    pub async fn close(&self) -> Result<()> {
        let (http, url) = (self.http.clone(), format!("{}/window", self.session().await?));
        blocking(move || accepted(http.delete(url).call()?)).await
    }

    /// Reloads what it shows.
    pub async fn reload(&self) -> Result<()> {
        self.command("refresh", json!({})).await
    }

    /// Goes one page back in its history; returns once another address stands there.
    pub async fn back(&self) -> Result<()> {
        self.leave("back", json!({})).await
    }

    /// Goes one page forward again; returns once another address stands there.
    pub async fn forward(&self) -> Result<()> {
        self.leave("forward", json!({})).await
    }

    /// Opens a link in it; returns once another address stands there.
    pub async fn open(&self, link: &str) -> Result<()> {
        self.leave("url", json!({ "url": link })).await
    }

    /// The address that it shows.
    pub async fn address(&self) -> Result<String> {
        let (http, url) = (self.http.clone(), format!("{}/url", self.session().await?));
        let shown: Value = blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await?;
        Ok(shown["value"].as_str().context("an address")?.to_owned())
    }

    async fn leave(&self, command: &str, body: Value) -> Result<()> {
        let before = self.address().await?;
        // The driver may give up its wait although the window goes: where the window is decides.
        let said = self.command(command, body).await;
        let left = until(async || self.address().await.is_ok_and(|now| now != before)).await;
        ensure!(left, "{command} does not lead away from {before}: {said:?}");
        Ok(())
    }

    async fn command(&self, command: &str, body: Value) -> Result<()> {
        let (http, url) = (self.http.clone(), format!("{}/{command}", self.session().await?));
        blocking(move || accepted(http.post(url).send_json(body)?)).await
    }

    /// Opens the window, where `vega` does not.
    pub(crate) async fn appear(&self) -> Result<()> {
        let arguments = [
            "--headless=new",
            // Else it outlives its driver.
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--incognito",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let options = json!({
            "goog:chromeOptions": { "args": arguments },
            "pageLoadStrategy": "none",
            // Of an authority that is made for a story.
            "acceptInsecureCerts": true,
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": options } });
        let (http, url) = (self.http.clone(), format!("{}/session", self.url));
        blocking(move || accepted(http.post(url).send_json(wanted)?)).await
    }

    /// The words on its page.
    pub async fn text(&self) -> Result<String> {
        let words = self.answer("return document.body ? document.body.innerText : ''");
        Ok(words.await?.as_str().unwrap_or_default().to_owned())
    }

    /// What stands in the box with this id.
    pub async fn typed_in(&self, id: &str) -> Result<String> {
        let script = format!("return document.getElementById({id:?})?.value");
        let typed = self.answer(&script).await?;
        Ok(typed.as_str().with_context(|| format!("no {id}"))?.to_owned())
    }

    /// What its page answers a script.
    async fn answer(&self, script: &str) -> Result<Value> {
        let script = json!({ "script": script, "args": [] });
        let (http, url) = (
            self.http.clone(),
            format!("{}/execute/sync", self.session().await?),
        );
        let answer: Value =
            blocking(move || Ok(http.post(url).send_json(script)?.body_mut().read_json()?)).await?;
        Ok(answer["value"].clone())
    }

    /// What its page can read of who drives it.
    pub async fn automation_marks(&self) -> Result<Value> {
        self.answer("return { webdriver: navigator.webdriver, user_agent: navigator.userAgent }")
            .await
    }

    /// Types into the box with this id, once it is there, and presses nothing.
    pub async fn type_into(&self, id: &str, keys: &str) -> Result<()> {
        let (http, session) = (self.http.clone(), self.session().await?);
        let script = format!("return document.getElementById({id:?})");
        let find = json!({ "script": script, "args": [] });
        let found = until(async || {
            let (http, url) = (http.clone(), format!("{session}/execute/sync"));
            let (find, keys) = (find.clone(), json!({ "text": keys }));
            let typed = blocking(move || {
                let found: Value = http.post(&url).send_json(find)?.body_mut().read_json()?;
                let element = found["value"].as_object().and_then(|names| names.values().next());
                let element = element.and_then(Value::as_str).context("not there yet")?;
                let url = url.replace("execute/sync", &format!("element/{element}/value"));
                accepted(http.post(url).send_json(keys)?)
            });
            typed.await.is_ok()
        });
        anyhow::ensure!(found.await, "{id} never came");
        Ok(())
    }

    /// Ends the driver, and with it whatever it started.
    pub async fn end(mut self) -> Result<()> {
        Ok(self.driver.kill().await?)
    }

    /// The address of the one session that is open.
    async fn session(&self) -> Result<String> {
        let (http, url) = (self.http.clone(), format!("{}/sessions", self.url));
        let open: Value = blocking(move || Ok(http.get(url).call()?.body_mut().read_json()?)).await?;
        let id = open["value"][0]["id"].as_str();
        Ok(format!("{}/session/{}", self.url, id.context("a session")?))
    }
}
