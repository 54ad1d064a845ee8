//! Requests that no honest program sends: odd names, methods, types and spellings. None is taken for another one, and none
//! changes anything.

use anyhow::{Context, Result};
use vega_tests::{Caller, Desk, Request, Server, Upstox};

use crate::server_attacks::{Attack, AttackFixture, Target, lacks_headers};

/// Requests to one target, each with the statuses that it may be refused with.
struct Odd<'f> {
    fixture: &'f AttackFixture,
    target: Target,
    found: Vec<Attack>,
}

impl Odd<'_> {
    fn add(&mut self, request: Request, expected: &[u16]) {
        let expected = expected.to_vec();
        self.found.push(Attack { request, expected });
    }

    /// By whoever may do it, from the console's own pages.
    fn ours(&self, request: Request) -> Request {
        self.theirs(request.with("Sec-Fetch-Site", "same-origin"))
    }

    /// By whoever may do it.
    fn theirs(&self, request: Request) -> Request {
        let is_session = self.target.path == "/api/v1/session";
        request.by(if is_session {
            &self.fixture.console
        } else {
            &self.fixture.key
        })
    }

    /// The target as it is, with `Host`.
    fn named(&self) -> Request {
        self.target
            .bare("application/json")
            .with("Host", self.fixture.server.host())
    }

    fn hosts(&mut self) {
        let (host, origin) = (self.fixture.server.host(), self.fixture.server.address());
        let port = host.rsplit(':').next().unwrap_or_default();
        for odd in [
            "localhost",
            "127.0.0.1",
            "localhost:1",
            "127.0.0.1:80",
            &format!("0.0.0.0:{port}"),
            &format!("localhost.:{port}"),
            &format!("127.0.0.1.evil.example:{port}"),
            &format!("evil.example@localhost:{port}"),
            &format!("localhost:{port}@evil.example"),
            &format!("localhost:{port},evil.example"),
            "",
        ] {
            let request = self.ours(self.target.bare("application/json").with("Host", odd));
            self.add(request, &[421]);
        }
        // A target with a host of its own, which not every program looks at.
        for (of_target, of_header) in [
            (&*format!("http://evil.example:{port}"), host),
            (origin, "evil.example"),
        ] {
            let path = format!("{of_target}{}", self.target.path);
            let absolute = Target {
                path,
                ..self.target.clone()
            };
            let request = absolute.bare("application/json").with("Host", of_header);
            self.add(self.ours(request), &[421]);
        }
    }

    fn sites(&mut self) {
        let host = self.fixture.server.host();
        for odd in [
            "http://evil.example",
            "https://localhost",
            &format!("https://{host}"),
            &format!("http://{host}.evil.example"),
            &format!("http://evil.example#{host}"),
            "file://",
            "",
        ] {
            let request = self.named().with("Origin", odd);
            self.add(self.ours(request), &[403]);
        }
        for site in ["SAME-ORIGIN", "same-origin, cross-site", "", "?1"] {
            let request = self.named().with("Sec-Fetch-Site", site);
            self.add(self.theirs(request), &[403]);
        }
    }

    fn types(&mut self) {
        let Some(body) = self.target.body.clone() else {
            return;
        };
        for kind in [
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/jsonp",
            "application/json-patch",
            "",
        ] {
            let request = self.target.bare(kind).with("Host", self.fixture.server.host());
            self.add(self.ours(request), &[415]);
        }
        let untyped = Request::to(&self.fixture.server, self.target.method, &self.target.path);
        self.add(self.ours(untyped.body(body)), &[415]);
    }

    fn methods(&mut self) {
        let host = self.fixture.server.host();
        for method in ["OPTIONS", "PUT", "PATCH", "TRACE", "post", "PURGE"] {
            let other = Target {
                method,
                ..self.target.clone()
            };
            let request = other.bare("application/json").with("Host", host);
            self.add(self.ours(request.clone()), &[405]);
            // As a browser asks before it sends what a form cannot.
            let preflight = request
                .with("Origin", "https://evil.example")
                .with("Access-Control-Request-Method", self.target.method)
                .with("Access-Control-Request-Headers", "authorization,content-type");
            self.add(preflight, &[405]);
        }
        // A HEAD does nothing but look, and brings no body.
        let head = Target {
            method: "HEAD",
            body: None,
            ..self.target.clone()
        };
        let is_read = ["/token", "/session"]
            .iter()
            .any(|end| self.target.path.ends_with(end))
            || (self.target.method == "DELETE" && self.target.path.contains("/runs/"));
        let request = self.ours(head.bare("").with("Host", host));
        self.add(request, if is_read { &[200] } else { &[405] });
        for name in ["X-HTTP-Method-Override", "X-Original-URL", "X-Forwarded-Host"] {
            let look = Request::to(&self.fixture.server, "GET", "/livez").with(name, &self.target.path);
            self.add(self.ours(look), &[200]);
        }
    }
}

#[tokio::test]
async fn nothing_odd_is_taken_for_something_else() -> Result<()> {
    let fixture = AttackFixture::new().await?;
    let before = fixture.state().await?;
    let mut attacks = Vec::new();
    for target in fixture.targets() {
        let (fixture, found) = (&fixture, Vec::new());
        let mut odd = Odd {
            fixture,
            target,
            found,
        };
        odd.hosts();
        odd.sites();
        odd.types();
        odd.methods();
        attacks.extend(odd.found);
    }
    // The path of a token, spelled so that the permission check and the handler might read it differently.
    for path in [
        "/api/v1/apis/%50RIMARY/token%2f..",
        "/api/v1/apis/OPTIONCHAIN1/../PRIMARY/token",
        "/api/v1/apis/OPTIONCHAIN1%2f..%2fPRIMARY/token",
        "/api/v1//apis/PRIMARY/token",
        "/api/v1/apis/PRIMARY/token/",
        "/API/V1/APIS/PRIMARY/TOKEN",
        "/api/v1/apis/primary/token",
        "/api/v1/apis/PRIMARY%00/token",
        "/api/v1/apis/%ff/token",
    ] {
        let request = Request::to(&fixture.server, "GET", path);
        let expected = vec![400, 401, 403, 404];
        for request in [request.clone(), request.by(&fixture.console)] {
            let expected = expected.clone();
            attacks.push(Attack { request, expected });
        }
    }
    assert_eq!(attacks.len(), 374);
    assert_eq!(fixture.attack(attacks).await?, [""; 0]);
    assert_eq!(fixture.state().await?, before);

    // No figure of its own for every method that somebody makes up.
    let figures = fixture.server.get("/metrics", &fixture.key).await?;
    assert!(figures.text.contains("other") && !figures.text.contains("PURGE"));
    Ok(())
}

/// Whoever shows nothing leaves nothing behind. A key or session that is none goes on record, and nothing else changes.
#[tokio::test]
async fn strangers_leave_every_byte_on_disk_as_it_was() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    // Not `-shm`, in which SQLite's readers note how far they read.
    let bytes = || {
        let log = desk.database().with_extension("db-wal");
        let key_file = desk.path().join("config/vega/vega.key");
        let files = [desk.database(), log, key_file];
        files.map(|file| std::fs::read(file).unwrap_or_default())
    };
    let before = bytes();
    assert!(
        before.iter().all(|bytes| !bytes.is_empty()),
        "there is nothing to change"
    );
    let kinds = async || -> Result<Vec<String>> {
        let told = desk.vega(&["audit", "--json"]).await?.json()?;
        let entries = told["entries"].as_array().context("entries")?;
        Ok(entries.iter().map(|entry| entry["kind"].to_string()).collect())
    };
    let run = "/api/v1/runs/6a1f0c9e-7d1b-4a53-9a0e-3f3d6f2b8c11";
    let mut answers = Vec::new();
    let mut with_a_bad_key = Vec::new();
    for method in ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"] {
        for path in [
            "/",
            "/enter",
            "/enter.js",
            "/style.css",
            "/livez",
            "/metrics",
            "/nothing",
            "/api/v1/nothing",
            "/api/v1/apis",
            "/api/v1/apis/PRIMARY",
            "/api/v1/apis/PRIMARY/token",
            "/api/v1/verifications",
            "/api/v1/runs",
            "/api/v1/runs/current",
            run,
            "/api/v1/events",
            "/api/v1/audit",
            "/api/v1/audit/export",
            "/api/v1/session",
            "/api/v1/config",
            "/api/v1/system",
            "/api/v1/evidence",
            "/api/v1/evidence/20261124T084501.123-PRIMARY-blocked/picture",
            "/api/v1/keys",
            "/api/v1/openapi.json",
            "/api/v1/auth/upstox/callback/x",
            "/%00",
        ] {
            for caller in [
                Caller::Stranger,
                Caller::Key("CANARY-no-such-key".into()),
                Caller::Console(
                    "vega_session=CANARY-no-such-session".into(),
                    "CANARY-no-such-second".into(),
                ),
            ] {
                // Bad keys are let wait, which is shown elsewhere.
                if !matches!(caller, Caller::Stranger) && method != "POST" {
                    continue;
                }
                let request = Request::to(&server, method, path).by(&caller);
                let request = request.with("Content-Type", "application/json").body("{}");
                if !matches!(caller, Caller::Stranger) {
                    with_a_bad_key.push(request);
                    continue;
                }
                let answer = server.send(&request).await?;
                assert_eq!(lacks_headers(&answer), None, "{request:?}: {answer:?}");
                answers.push(answer);
            }
        }
    }
    // Not shown in full where they differ: they are many.
    assert!(bytes() == before, "something was written");

    let before = kinds().await?;
    for request in with_a_bad_key {
        let answer = server.send(&request).await?;
        assert_eq!(lacks_headers(&answer), None, "{request:?}: {answer:?}");
        answers.push(answer);
    }
    assert!(
        answers
            .iter()
            .all(|answer| answer.status != 202 && answer.status != 204 && answer.status < 500)
    );
    let mut after = kinds().await?;
    after.retain(|kind| kind != "\"call_refused\"");
    assert_eq!(after, before, "only the refusals");
    Ok(())
}
