//! `vega-server` at a desk, and those who call it: a console with its session, and programs with keys.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::desk::Desk;
use crate::front::{Front, Trust, Way, free_port};
use crate::processes::{end_at_once, end_politely, until};

/// A server that runs at a desk.
pub struct Server {
    process: Child,
    way: Way,
    log: PathBuf,
    http: ureq::Agent,
}

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Without anything.
    Stranger,
    /// A program with this access key.
    Key(String),
    /// The console with this cookie and second secret.
    Console(String, String),
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case names, as `name: value`.
    pub headers: Vec<String>,
    /// The body; of a picture only its beginning is to be recognised.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {self:?}"))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|header| header.split_once(": "));
        headers.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

impl Server {
    /// Starts it at `port` of this machine, and waits until it answers.
    pub async fn start_at(desk: &Desk, port: u16) -> Result<Self> {
        Self::start_behind_at(desk, Front::Plain, port).await
    }

    /// The same at a port that was free just now.
    pub async fn start(desk: &Desk) -> Result<Self> {
        Self::start_behind(desk, Front::Plain).await
    }

    /// The same, where callers come this way.
    pub async fn start_behind(desk: &Desk, front: Front) -> Result<Self> {
        Self::start_behind_at(desk, front, free_port().await?).await
    }

    /// The same at this port.
    pub async fn start_behind_at(desk: &Desk, front: Front, port: u16) -> Result<Self> {
        Self::start_on(desk, Way::to(front, port).await?).await
    }

    /// The same without a wait until it has started: it answers that it lives.
    pub async fn begin_behind(desk: &Desk, front: Front) -> Result<Self> {
        let way = Way::to(front, free_port().await?).await?;
        let server = Self::spawn(desk, way).await?;
        let answers = until(async || {
            let live = server.get("/livez", &Caller::Stranger).await;
            live.is_ok_and(|live| live.status == 200)
        });
        ensure!(answers.await, "the server does not answer: {}", server.log());
        Ok(server)
    }

    async fn start_on(desk: &Desk, way: Way) -> Result<Self> {
        let server = Self::spawn(desk, way).await?;
        let answers = until(async || {
            let live = server.get("/livez", &Caller::Stranger).await;
            live.is_ok_and(|live| live.status == 200) && server.has_started()
        });
        ensure!(answers.await, "the server does not answer: {}", server.log());
        Ok(server)
    }

    /// Whether it has its database, and said so.
    pub fn has_started(&self) -> bool {
        self.log().contains("listening on ")
    }

    async fn spawn(desk: &Desk, mut way: Way) -> Result<Self> {
        let log = desk.path().join(format!("server-{}.log", fastrand::u32(..)));
        let mut command = Command::new(desk.program("vega-server")?);
        desk.dress(&mut command)
            .envs(way.settings.clone())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?);
        let process = command.spawn().context("vega-server cannot be started")?;
        way.open().await?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0);
        let config = match &way.trust {
            Some(trust) => config.tls_config(trust.tls_config()?),
            None => config,
        };
        Ok(Self {
            process,
            way,
            log,
            http: config.build().into(),
        })
    }

    /// A port that is free now.
    pub async fn free_port() -> Result<u16> {
        free_port().await
    }

    /// `http://127.0.0.1:PORT`, or how else callers come to it.
    pub fn address(&self) -> &str {
        &self.way.url
    }

    /// The certificate, in PEM, of the authority that speaks for it; none where callers come in plain text.
    pub fn authority(&self) -> Option<&str> {
        self.way.trust.as_ref().map(Trust::pem)
    }

    /// How it was told to be reached, as variables.
    pub fn settings(&self) -> Vec<String> {
        let settings = self.way.settings.iter();
        settings.map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// The port at which it listens itself, whatever stands before it.
    pub fn own_port(&self) -> u16 {
        self.way.server_port()
    }

    pub(crate) fn way(&self) -> &Way {
        &self.way
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) -> Result<Option<i32>> {
        end_politely(&self.process)?;
        Ok(self.process.wait().await?.code())
    }

    /// Ends it at once.
    pub async fn kill(mut self) -> Result<()> {
        end_at_once(&self.process)?;
        self.process.wait().await?;
        Ok(())
    }

    /// Opens the console with the link that it printed at its start.
    pub async fn console(&self) -> Result<Caller> {
        // It comes a little after the server listens.
        until(async || self.log().contains("/enter#")).await;
        let log = self.log();
        let (_, code) = log.split_once("/enter#").context("no link in the log")?;
        let code = code.split_whitespace().next().context("a code")?;
        self.open_console(code).await
    }

    /// Opens the console with the code of a link.
    pub async fn open_console(&self, code: &str) -> Result<Caller> {
        let opened = self
            .post("/api/v1/session", &Caller::Stranger, json!({ "code": code }))
            .await?;
        ensure!(opened.status == 200, "{opened:?}");
        let second = opened.json()?["secret"]
            .as_str()
            .context("a second secret")?
            .to_owned();
        let cookie = opened.header("set-cookie").context("a cookie")?;
        let (cookie, _) = cookie.split_once(';').context("attributes")?;
        Ok(Caller::Console(cookie.to_owned(), second))
    }

    /// GET.
    pub async fn get(&self, path: &str, caller: &Caller) -> Result<Answer> {
        self.call("GET", path, caller, &[], None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, caller: &Caller, body: Value) -> Result<Answer> {
        self.call("POST", path, caller, &[], Some(body.to_string())).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str, caller: &Caller) -> Result<Answer> {
        self.call("DELETE", path, caller, &[], None).await
    }

    /// Any request, with more headers. A body is sent as JSON unless a header says otherwise.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        caller: &Caller,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address()));
        match caller {
            Caller::Stranger => {}
            Caller::Key(key) => request = request.header("authorization", format!("Bearer {key}")),
            // As its browser does.
            Caller::Console(cookie, second) => {
                request = request
                    .header("cookie", cookie)
                    .header("x-vega-session", second)
                    .header("sec-fetch-site", "same-origin");
            }
        }
        let has_type = headers.iter().any(|(name, _)| *name == "content-type");
        if body.is_some() && !has_type {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.unwrap_or_default())?;
        let http = self.http.clone();
        tokio::task::spawn_blocking(move || {
            let mut response = http.run(request)?;
            let headers = response.headers().iter();
            let headers =
                headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
            Ok(Answer {
                status: response.status().as_u16(),
                headers: headers.collect(),
                text: String::from_utf8_lossy(&response.body_mut().read_to_vec()?).into_owned(),
            })
        })
        .await?
    }

    /// Asks for a run, and says yes to its plan. Returns its path.
    pub async fn start_run(&self, caller: &Caller, body: Value) -> Result<String> {
        let asked = self.post("/api/v1/runs", caller, body).await?;
        ensure!(asked.status == 202, "{asked:?}");
        let run = asked.header("location").context("a location")?.to_owned();
        let prompt = self.prompt(&run, caller, "confirm").await?;
        let yes = json!({ "kind": "confirm", "prompt": prompt["id"], "yes": true });
        let answered = self.post(&format!("{run}/answers"), caller, yes).await?;
        ensure!(answered.status == 204, "{answered:?}");
        Ok(run)
    }

    /// Waits until the human is asked for this.
    pub async fn prompt(&self, run: &str, caller: &Caller, kind: &str) -> Result<Value> {
        let path = format!("{run}/prompt");
        let open = async || -> Result<Option<Value>> {
            let prompts = self.get(&path, caller).await?.json()?;
            let prompts = prompts["prompts"].as_array().context("prompts")?;
            Ok(prompts.iter().find(|prompt| prompt["kind"] == kind).cloned())
        };
        let comes = until(async || open().await.is_ok_and(|prompt| prompt.is_some()));
        if !comes.await {
            let run = self.get(run, caller).await?;
            anyhow::bail!("nobody is asked for {kind}: {run:?}; {}", self.log());
        }
        open().await?.context("it is gone again")
    }

    /// Waits until the run is over, and returns it.
    pub async fn ended(&self, run: &str, caller: &Caller) -> Result<Value> {
        let is_over = until(async || {
            let run = self.get(run, caller).await.and_then(|run| run.json());
            run.is_ok_and(|run| run["under_way"] == false)
        });
        ensure!(is_over.await, "the run goes on and on: {}", self.log());
        self.get(run, caller).await?.json()
    }
}

/// The stream of events as `curl -N` shows it.
pub struct CurlEvents {
    curl: Child,
    shown: PathBuf,
}

impl CurlEvents {
    /// Everything that came so far.
    pub fn shown(&self) -> String {
        std::fs::read_to_string(&self.shown).unwrap_or_default()
    }

    /// The data of every event of this name so far.
    pub fn of(&self, event: &str) -> Vec<Value> {
        let shown = self.shown();
        let events = shown.split("\n\n").filter_map(|part| {
            let mut lines = part.lines();
            let is_it = lines.any(|line| line == format!("event: {event}"));
            let data = part.lines().find_map(|line| line.strip_prefix("data: "));
            is_it.then(|| serde_json::from_str(data?).ok()).flatten()
        });
        events.collect()
    }

    /// Waits until an event of this name says so.
    pub async fn until(&self, event: &str, says: impl Fn(&Value) -> bool) -> Result<Value> {
        let comes = until(async || self.of(event).iter().any(&says));
        ensure!(comes.await, "{event} did not come: {}", self.shown());
        let events = self.of(event).into_iter();
        events.rev().find(|data| says(data)).context("it is gone")
    }

    /// Waits until the server has ended the stream.
    pub async fn end(mut self) -> Result<()> {
        let ended = tokio::time::timeout(Duration::from_mins(1), self.curl.wait()).await;
        ended.context("the stream goes on")??;
        Ok(())
    }
}

impl Server {
    /// Listens to the stream of events.
    pub async fn curl_events(&self, desk: &Desk, caller: &Caller) -> Result<CurlEvents> {
        let shown = desk.path().join(format!("events-{}", fastrand::u32(..)));
        let who = match caller {
            Caller::Stranger => vec!["x-nobody: 1".to_owned()],
            Caller::Key(key) => vec![format!("authorization: Bearer {key}")],
            Caller::Console(cookie, second) => {
                vec![format!("cookie: {cookie}"), format!("x-vega-session: {second}")]
            }
        };
        let who = who.iter().flat_map(|header| ["-H", header]);
        let curl = Command::new("curl")
            .args(["-N", "-sS"])
            .args(who)
            .arg(format!("{}/api/v1/events", self.address()))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&shown)?)
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("curl is missing: install the package of this name")?;
        let events = CurlEvents { curl, shown };
        events.until("snapshot", |_| true).await?;
        Ok(events)
    }
}
