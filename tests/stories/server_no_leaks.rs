//! The server logs everything, streams everything, answers every mistake, and still no secret leaves its place.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vega_tests::{Caller, Desk, Events, Leaks, OwnBrowser, Server, Upstox};

use crate::no_leaks::{all_secrets, nothing_in};
use crate::server_route_permissions::{key, link};

const EVERYTHING: &str = "status,runs,admin,token:PRIMARY";

/// A server that logs everything, with its link opened, and who listens to all of its events.
struct Loud {
    upstox: Upstox,
    desk: Desk,
    server: Server,
    key: Caller,
    console: Caller,
    streams: Vec<Events>,
    /// Every answer so far that must hold no secret.
    said: Vec<String>,
    secrets: Vec<(&'static str, String)>,
}

impl Loud {
    /// At the port where Upstox sends browsers back to.
    async fn new(route: &str) -> Result<Self> {
        let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
        let mut desk = Desk::new(&upstox)?;
        desk.set("RUST_LOG", "trace");
        desk.set("VEGA__SIGN_IN__ROUTE", route);
        upstox
            .scenario(json!({ "scope": "all", "on": "exchange", "kind": "with_extended_token" }))
            .await?;
        let key = key(&desk, "everything", EVERYTHING, &[]).await?;
        let port = upstox.redirect_uri().split([':', '/']).nth(4).context("a port")?;
        let server = Server::start_at(&desk, port.parse()?).await?;
        let code = link(&desk, &server).await?;
        let console = server.open_console(&code).await?;
        let streams = vec![server.events(&console).await?, server.events(&key).await?];
        let mut secrets = vec![("a link's code", code)];
        for caller in [&key, &console] {
            let secret = match caller {
                Caller::Key(key) => ("a key", key.clone()),
                Caller::Console(cookie, second) => {
                    let (_, secret) = cookie.split_once('=').context("a cookie")?;
                    secrets.push(("a session's cookie", secret.to_owned()));
                    ("a session's second secret", second.clone())
                }
                Caller::Stranger => continue,
            };
            secrets.push(secret);
        }
        let said = Vec::new();
        Ok(Self {
            upstox,
            desk,
            server,
            key,
            console,
            streams,
            said,
            secrets,
        })
    }

    /// Sends what is refused, and keeps what is said about it.
    async fn mistake(
        &mut self,
        path: &str,
        caller: &Caller,
        body: Option<String>,
        status: u16,
    ) -> Result<()> {
        let method = if body.is_some() { "POST" } else { "GET" };
        let answer = self.server.call(method, path, caller, &[], body).await?;
        ensure!(answer.status == status, "{path}: {answer:?}");
        self.said.push(format!("{answer:?}"));
        Ok(())
    }

    /// Looks at everything that there is to see.
    async fn look_at_everything(&mut self, run: &str) -> Result<()> {
        let prompt = format!("{run}/prompt");
        for path in [
            "/livez",
            "/readyz",
            "/metrics",
            "/api/v1/apis",
            "/api/v1/apis/PRIMARY",
            "/api/v1/runs/current",
            run,
            &prompt,
            "/api/v1/audit?limit=500",
            "/api/v1/audit/export",
            "/api/v1/audit/export?format=csv",
            "/api/v1/audit/verdict",
            "/api/v1/config",
            "/api/v1/system",
            "/api/v1/keys",
            "/api/v1/openapi.json",
        ] {
            let answer = self.server.get(path, &self.key).await?;
            ensure!(answer.status == 200, "{path}: {answer:?}");
            self.said.push(format!("{answer:?}"));
        }
        Ok(())
    }

    /// Answers what is asked, after every wrong way to answer it.
    async fn answer(&mut self, run: &str, kind: &str, secret: &str) -> Result<()> {
        let console = self.console.clone();
        let prompt = self.server.prompt(run, &console, kind).await?;
        let id = prompt["id"].as_str().context("an id")?;
        let path = format!("{run}/answers");
        let other = if kind == "otp" { "pin" } else { "otp" };
        for (wrong, status) in [
            (
                json!({ "kind": other, "prompt": id, other: secret }).to_string(),
                409,
            ),
            (
                json!({ "kind": kind, "prompt": id, kind: secret, "more": secret }).to_string(),
                422,
            ),
            (
                json!({ "kind": secret, "prompt": id, kind: secret }).to_string(),
                422,
            ),
            (
                json!({ "kind": kind, "prompt": secret, kind: secret }).to_string(),
                422,
            ),
            (
                json!({ "kind": kind, "prompt": id, kind: [secret] }).to_string(),
                422,
            ),
            (
                json!({ "kind": kind, "prompt": id, kind: format!("x{secret}") }).to_string(),
                422,
            ),
            (format!("{{\"kind\": \"{kind}\", \"{secret}"), 400),
            // In quotes: digits that begin with 0 are no number in JSON, and the status would depend on the OTP.
            (format!("\"{secret}\" is it"), 422),
        ] {
            self.mistake(&path, &console, Some(wrong), status).await?;
        }
        let right = json!({ "kind": kind, "prompt": id, kind: secret });
        let answered = self.server.post(&path, &console, right).await?;
        ensure!(answered.status == 204, "{answered:?}");
        Ok(())
    }

    /// Mistakes with secrets that are none of Vega's.
    async fn more_mistakes(&mut self) -> Result<()> {
        let canary = |what: &str| format!("CANARY-{what}-jx2w8q");
        let bad_key = Caller::Key(canary("key"));
        let bad_session = Caller::Console(format!("vega_session={}", canary("session")), canary("second"));
        self.mistake("/api/v1/apis", &bad_key, None, 401).await?;
        self.mistake("/api/v1/apis", &bad_session, None, 401).await?;
        let link = json!({ "code": canary("link") }).to_string();
        self.mistake("/api/v1/session", &Caller::Stranger, Some(link), 401)
            .await?;
        let redirect = format!("?code={}&state={}", canary("code"), canary("state"));
        let callback = self
            .upstox
            .redirect_uri()
            .splitn(4, '/')
            .nth(3)
            .context("a path")?
            .to_owned();
        let answer = self
            .server
            .get(&format!("/{callback}{redirect}"), &Caller::Stranger)
            .await?;
        ensure!(
            answer.status >= 400 && answer.text.contains("<html"),
            "{answer:?}"
        );
        self.said.push(format!("{answer:?}"));
        self.mistake(&format!("/nothing{redirect}"), &Caller::Stranger, None, 404)
            .await?;
        for what in ["key", "session", "link", "code", "state"] {
            self.secrets.push(("a canary", canary(what)));
        }
        Ok(())
    }

    /// Ends it, and looks into everything that was said.
    async fn nothing_leaked(self, sign_ins: usize, needles: usize) -> Result<()> {
        let mut leaks = all_secrets(&self.upstox, sign_ins, sign_ins).await?;
        for (name, secret) in &self.secrets {
            leaks.look_for(name, secret);
        }
        assert_eq!(leaks.sought(), needles);
        let log = self.server.log();
        assert_eq!(self.server.stop().await?, Some(0));
        let mut streamed = String::new();
        for stream in self.streams {
            streamed.push_str(&stream.to_its_end().await?);
        }
        let printed = log
            .split_once("/enter#")
            .and_then(|(_, rest)| rest.split_whitespace().next());
        let printed = printed.context("no link is printed")?;
        assert_eq!(log.matches(printed).count(), 1, "it is printed once");
        nothing_in(
            &leaks,
            &[
                ("the log", log.as_bytes(), "TRACE"),
                ("the streams", streamed.as_bytes(), "event: token"),
                (
                    "the answers",
                    self.said.join("\n").as_bytes(),
                    "vega_request_seconds",
                ),
                ("the desk's files", &self.desk.bytes_on_disk()?, "PRIMARY"),
            ],
        );
        is_able_to_find(&leaks, &self.secrets);
        Ok(())
    }
}

/// The search must see what it looks for.
fn is_able_to_find(leaks: &Leaks, secrets: &[(&'static str, String)]) {
    for (name, secret) in secrets {
        assert_eq!(leaks.found_in(format!("x {secret} y").as_bytes()), [*name]);
    }
}

#[tokio::test]
async fn otp_and_pin_over_http_go_into_the_page_and_nowhere_else() -> Result<()> {
    let mut loud = Loud::new("webdriver").await?;
    loud.upstox.human_at_the_desk(false).await?;
    let pin = loud.upstox.seed().accounts[0].pin.clone();
    loud.more_mistakes().await?;

    let run = loud
        .server
        .start_run(&loud.console, json!({ "apis": ["PRIMARY"] }))
        .await?;
    loud.server.prompt(&run, &loud.console, "otp").await?;
    let otp = loud.upstox.phone().await?.context("an OTP on the phone")?;
    loud.answer(&run, "otp", &otp).await?;
    loud.answer(&run, "pin", &pin).await?;
    let ended = loud.server.ended(&run, &loud.console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    let token = loud.server.get("/api/v1/apis/PRIMARY/token", &loud.key).await?;
    assert_eq!(token.status, 200);
    loud.look_at_everything(&run).await?;
    // Six client secrets, a PIN, an OTP, a state, a code, two tokens of two parts; a link, a key, a session; five canaries.
    loud.nothing_leaked(1, 23).await
}

#[tokio::test]
async fn a_link_is_for_the_console_that_asks_for_it() -> Result<()> {
    let mut loud = Loud::new("own-browser").await?;
    loud.upstox
        .human_does_everything(Duration::from_millis(100))
        .await?;
    let browser = OwnBrowser::at(&loud.desk).await?;

    let run = loud
        .server
        .start_run(&loud.console, json!({ "apis": ["PRIMARY"] }))
        .await?;
    let prompt = loud.server.prompt(&run, &loud.console, "link").await?;
    let link = prompt["link"].as_str().context("the console gets the link")?;
    let programs = loud.server.prompt(&run, &loud.key, "link").await?;
    assert_eq!(programs["link"], Value::Null, "{programs}");
    loud.look_at_everything(&run).await?;
    browser.go_to(link).await?;
    browser.until_it_says("Vega has received").await?;
    let ended = loud.server.ended(&run, &loud.console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    browser.end().await?;
    loud.look_at_everything(&run).await?;
    loud.nothing_leaked(1, 18).await
}
