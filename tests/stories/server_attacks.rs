//! What strangers, other sites' pages and pages of this machine's other ports send: every request is refused with the
//! status that it deserves, changes nothing and brings no byte of a token.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use vega_tests::{Answer, Caller, Desk, Front, Leaks, Request, Server, Upstox, until};

use crate::server_route_permissions::{key, link};

/// What Caddy answers to names that it does not serve, without a body.
const NOTHING: u16 = 200;
/// Connections at once.
const AT_ONCE: usize = 32;

/// Everything that is worth an attack: a token, a run that waits for its yes, a key, a session, a link.
pub(crate) struct AttackFixture {
    upstox: Upstox,
    desk: Desk,
    pub(crate) server: Arc<Server>,
    pub(crate) key: Caller,
    pub(crate) console: Caller,
    run: String,
    prompt: String,
    victim: String,
    leaks: Arc<Leaks>,
}

impl AttackFixture {
    pub(crate) async fn new() -> Result<Self> {
        Self::behind(Front::Plain).await
    }

    /// Where callers come this way.
    pub(crate) async fn behind(front: Front) -> Result<Self> {
        let upstox = Upstox::start().await?;
        let desk = Desk::new(&upstox)?;
        let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
        ensure!(ran.code == Some(0), "{ran:?}");
        let mut leaks = Leaks::default();
        leaks.look_for_token("a token", &desk.token("PRIMARY").await?);
        let key_of = |caller: &Caller| match caller {
            Caller::Key(key) => key.clone(),
            _ => String::new(),
        };
        let key = key(&desk, "everything", "status,runs,admin,token:PRIMARY", &[]).await?;
        leaks.look_for("a key", &key_of(&key));
        crate::server_route_permissions::key(&desk, "victim", "status", &[]).await?;
        let server = Arc::new(Server::start_behind(&desk, front).await?);
        let console = server.console().await?;
        let keys = server.get("/api/v1/keys", &key).await?.json()?;
        let keys = keys["keys"].as_array().context("keys")?;
        let victim = keys.iter().find(|key| key["name"] == "victim");
        let victim = victim.and_then(|key| key["id"].as_str()).context("a victim")?;
        let asked = server.post("/api/v1/runs", &console, json!({})).await?;
        let run = asked.header("location").context("a run")?.to_owned();
        let prompt = server.prompt(&run, &console, "confirm").await?;
        let has_token = until(async || {
            let answer = server.get("/api/v1/apis/PRIMARY/token", &key).await;
            answer.is_ok_and(|answer| answer.status == 200)
        });
        ensure!(has_token.await, "no token is served");
        Ok(Self {
            prompt: prompt["id"].as_str().context("an id")?.to_owned(),
            victim: victim.to_owned(),
            leaks: Arc::new(leaks),
            upstox,
            desk,
            server,
            key,
            console,
            run,
        })
    }

    /// Everything that an attack could have changed.
    pub(crate) async fn state(&self) -> Result<Value> {
        let (server, key) = (&self.server, &self.key);
        let mut keys = server.get("/api/v1/keys", key).await?.json()?;
        for key in keys["keys"].as_array_mut().context("keys")? {
            key["last_used_at"] = Value::Null;
            key["last_used_at_unix"] = Value::Null;
        }
        let session = server.get("/api/v1/session", &self.console).await?;
        let mut audit = server.get("/api/v1/audit?limit=500", key).await?.json()?;
        // That they are refused goes on record, as it should.
        let entries = audit["entries"].as_array_mut().context("entries")?;
        entries.retain(|entry| entry["kind"] != "call_refused");
        Ok(json!({
            "audit": audit,
            "keys": keys,
            "run": server.get(&self.run, key).await?.json()?,
            "prompts": server.get(&format!("{}/prompt", self.run), key).await?.json()?,
            "apis": server.get("/api/v1/apis", key).await?.json()?,
            "session": session.json()?,
            "upstox": self.upstox.counters().await?,
        }))
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        let answers = format!("{}/answers", self.run);
        let says = |yes: bool| json!({ "kind": "confirm", "prompt": self.prompt, "yes": yes });
        vec![
            Target::new("GET", "/api/v1/apis/PRIMARY/token", None),
            Target::new("POST", "/api/v1/runs", Some(json!({}))),
            Target::new("POST", "/api/v1/verifications", Some(json!({}))),
            Target::new("POST", &answers, Some(says(true))),
            Target::new("POST", &answers, Some(says(false))),
            Target::new("DELETE", &self.run, None),
            Target::new("DELETE", &format!("/api/v1/keys/{}", self.victim), None),
            Target::new("DELETE", "/api/v1/session", None),
        ]
    }

    /// Sends them, and returns what is not as it should be.
    pub(crate) async fn attack(&self, attacks: Vec<Attack>) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let mut under_way = JoinSet::new();
        for attack in attacks {
            if under_way.len() == AT_ONCE
                && let Some(fault) = under_way.join_next().await
            {
                wrong.extend(fault??);
            }
            let (server, leaks) = (Arc::clone(&self.server), Arc::clone(&self.leaks));
            under_way.spawn(async move {
                let answer = server.send(&attack.request).await?;
                let fault = fault(&answer, &leaks);
                let fault = fault.or_else(|| {
                    let is_expected = attack.expected.contains(&answer.status);
                    (!is_expected).then(|| format!("{}, not {:?}", answer.status, attack.expected))
                });
                anyhow::Ok(fault.map(|fault| format!("{fault}: {:?}: {answer:?}", attack.request)))
            });
        }
        while let Some(fault) = under_way.join_next().await {
            wrong.extend(fault??);
        }
        Ok(wrong)
    }
}

/// What no answer may have or lack.
fn fault(answer: &Answer, leaks: &Leaks) -> Option<String> {
    let all = format!("{:?} {}", answer.headers, answer.text);
    let found = leaks.found_in(all.as_bytes());
    if !found.is_empty() {
        return Some(format!("brings {found:?}"));
    }
    if answer
        .headers
        .iter()
        .any(|header| header.starts_with("access-control-"))
    {
        return Some("lets other sites read".into());
    }
    if is_of_a_proxy(answer) {
        return None;
    }
    // What cannot be read as HTTP is refused before there is a request, and without a body.
    if matches!(answer.status, 400 | 431) && answer.text.is_empty() {
        return None;
    }
    lacks_headers(answer)
}

/// Whether it never came to the server.
fn is_of_a_proxy(answer: &Answer) -> bool {
    let is_nothing = answer.status == NOTHING && answer.text.is_empty();
    is_nothing || answer.status == 400 && answer.text.contains("400 Bad Request")
}

/// A header that every answer has, and this one lacks.
pub(crate) fn lacks_headers(answer: &Answer) -> Option<String> {
    let has = |name: &str, words: &str| answer.header(name).is_some_and(|value| value.contains(words));
    let must = [
        ("content-security-policy", "default-src 'none'"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
    ];
    let lacking = must.iter().find(|(name, words)| !has(name, words));
    lacking.map(|(name, words)| format!("lacks {name}: {words}"))
}

#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
}

impl Target {
    fn new(method: &'static str, path: &str, body: Option<Value>) -> Self {
        let (path, body) = (path.to_owned(), body.map(|body| body.to_string()));
        Self { method, path, body }
    }

    pub(crate) fn bare(&self, kind: &str) -> Request {
        let request = Request::bare(self.method, &self.path);
        match &self.body {
            Some(body) => request.with("Content-Type", kind).body(body.clone()),
            None => request,
        }
    }
}

pub(crate) struct Attack {
    pub(crate) request: Request,
    /// One of these statuses.
    pub(crate) expected: Vec<u16>,
}

/// A value of one header, several times over if need be, and whether a request may have it.
struct Choice {
    values: Vec<String>,
    is_ours: bool,
}

fn choice(is_ours: bool, values: &[&str]) -> Choice {
    let values = values.iter().map(ToString::to_string).collect();
    Choice { values, is_ours }
}

fn with_all(request: Request, name: &str, choice: &Choice) -> Request {
    let values = choice.values.iter();
    values.fold(request, |request, value| request.with(name, value))
}

/// Every mix of `Host`, `Origin`, `Sec-Fetch-Site`, content type and caller but those that are right.
fn matrix(server: &Server, front: Front, target: &Target, callers: &[&Caller]) -> Vec<Attack> {
    let (host, origin) = (server.host(), server.address());
    let port = host.split(':').nth(1).unwrap_or_default();
    let foreign_host = format!("desk.evil.example:{port}");
    let hosts = [
        choice(true, &[host]),
        choice(false, &[&foreign_host]),
        choice(false, &[]),
        choice(false, &[host, &foreign_host]),
    ];
    let origins = [
        choice(true, &[]),
        choice(true, &[origin]),
        choice(false, &["null"]),
        choice(false, &["https://evil.example"]),
        choice(false, &["http://localhost:1"]),
        choice(false, &[origin, "https://evil.example"]),
    ];
    let is_write = target.method != "GET";
    let sites = [
        choice(true, &[]),
        choice(true, &["same-origin"]),
        choice(!is_write, &["none"]),
        choice(false, &["same-site"]),
        choice(false, &["cross-site"]),
        choice(false, &["same-origin", "cross-site"]),
    ];
    let types: &[(&str, bool)] = match target.body {
        Some(_) => &[("application/json", true), ("text/plain", false)],
        None => &[("", true)],
    };
    let opens_session = target.method == "POST" && target.path == "/api/v1/session";
    let mut attacks = Vec::new();
    for host in &hosts {
        for origin in &origins {
            for site in &sites {
                for (kind, is_json) in types {
                    for caller in callers {
                        let tells_nothing = origin.values.is_empty() && site.values.is_empty();
                        let is_cookie_alone =
                            matches!(caller, Caller::Console(..)) && is_write && tells_nothing;
                        let is_ours = origin.is_ours && site.is_ours && !is_cookie_alone;
                        let status = if !host.is_ours {
                            421
                        } else if !is_ours {
                            403
                        } else if opens_session {
                            if *is_json { 0 } else { 415 }
                        } else {
                            match caller {
                                Caller::Stranger => 401,
                                // A program has no session, and a console gets no token.
                                Caller::Key(_) if target.path == "/api/v1/session" => 403,
                                Caller::Console(..) if target.path.ends_with("/token") => 403,
                                _ if !is_json => 415,
                                _ => 0,
                            }
                        };
                        if status == 0 {
                            continue;
                        }
                        let request = with_all(target.bare(kind), "Host", host);
                        let request = with_all(request, "Origin", origin);
                        let request = with_all(request, "Sec-Fetch-Site", site).by(caller);
                        let expected = match (status, front) {
                            // nginx refuses by itself what has no host or two. Caddy does too, and answers other names with nothing.
                            (421, Front::Nginx) => vec![400, 421],
                            (421, Front::Caddy) => vec![400, 421, NOTHING],
                            _ => vec![status],
                        };
                        attacks.push(Attack { request, expected });
                    }
                }
            }
        }
    }
    attacks
}

#[rstest]
#[case::plain(Front::Plain)]
#[case::over_tls(Front::Tls)]
#[case::behind_nginx(Front::Nginx)]
#[case::behind_caddy(Front::Caddy)]
#[tokio::test]
async fn no_mix_of_headers_gets_through_but_the_right_ones(#[case] front: Front) -> Result<()> {
    let fixture = AttackFixture::behind(front).await?;
    let callers = [&Caller::Stranger, &fixture.key, &fixture.console];

    // A link lives for a minute: it comes first, and is good afterwards.
    let code = link(&fixture.desk, &fixture.server).await?;
    let target = Target::new("POST", "/api/v1/session", Some(json!({ "code": code })));
    let attacks = matrix(&fixture.server, front, &target, &callers);
    assert_eq!(attacks.len(), 853);
    assert_eq!(fixture.attack(attacks).await?, [""; 0]);
    fixture.server.open_console(&code).await?;

    let before = fixture.state().await?;
    for (target, count) in fixture
        .targets()
        .iter()
        .zip([426, 857, 857, 857, 857, 425, 425, 429])
    {
        let attacks = matrix(&fixture.server, front, target, &callers);
        assert_eq!(attacks.len(), count, "{} {}", target.method, target.path);
        assert_eq!(fixture.attack(attacks).await?, [""; 0]);
    }
    assert_eq!(fixture.state().await?, before);
    assert_eq!(before["prompts"]["prompts"][0]["id"], fixture.prompt.as_str());
    Ok(())
}

/// A page at another port of the console's host gets its cookie from the browser, and may send whatever its server likes.
#[tokio::test]
async fn either_half_of_a_session_opens_nothing() -> Result<()> {
    let fixture = AttackFixture::new().await?;
    let Caller::Console(cookie, second) = &fixture.console else {
        anyhow::bail!("no console");
    };
    let other = fixture
        .server
        .open_console(&link(&fixture.desk, &fixture.server).await?)
        .await?;
    let Caller::Console(_, of_another) = &other else {
        anyhow::bail!("no console");
    };
    let none = String::new();
    let (_, bare) = cookie.split_once('=').context("a cookie")?;
    let before = fixture.state().await?;
    let mut attacks = Vec::new();
    for (cookie, second) in [
        (cookie, &none),
        (&none, second),
        (cookie, of_another),
        (cookie, &bare.to_owned()),
        (cookie, &second[1..].to_owned()),
        (&format!("{cookie}.{second}"), &none),
        (&format!("vega_session={second}"), &bare.to_owned()),
    ] {
        for target in fixture.targets() {
            let mut request = target
                .bare("application/json")
                .with("Host", fixture.server.host());
            request = request
                .with("Sec-Fetch-Site", "same-origin")
                .with("Origin", fixture.server.address());
            if !cookie.is_empty() {
                request = request.with("Cookie", cookie);
            }
            if !second.is_empty() {
                request = request.with("x-vega-session", second);
            }
            attacks.push(Attack {
                request,
                expected: vec![401],
            });
        }
    }
    assert_eq!(attacks.len(), 56);
    assert_eq!(fixture.attack(attacks).await?, [""; 0]);
    assert_eq!(fixture.state().await?, before);
    Ok(())
}
