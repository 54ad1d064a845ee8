//! Consumers: who uses which token is known by whoever asks, the one that hangs on the old token is named by the command line, the server and
//! the figures, and what the operator stops gets nothing, by its key or by what the kernel says of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::Value;
use tokio::process::Command;
use vega_tests::{Caller, Desk, Engine, Request, Server, Upstox, until};

use crate::server_route_permissions::key;

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

/// The design's word for how soon it is named.
const NAMED_WITHIN: Duration = Duration::from_secs(5);

async fn sign_in(desk: &Desk) -> Result<()> {
    let force = ["--yes", "PRIMARY", "--force", "--reason", "another token"];
    let ran = desk.vega(&force).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

/// A program that gets the token once, under this name.
async fn gets(server: &Server, key: &Caller, name: &str) -> Result<u16> {
    let request = Request::to(server, "GET", TOKEN)
        .by(key)
        .with("X-Vega-Consumer", name);
    Ok(server.send(&request).await?.status)
}

async fn listed(desk: &Desk) -> Result<Vec<Value>> {
    let ran = desk.vega(&["consumers", "--json"]).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let listed: Value = serde_json::from_str(&ran.stdout)?;
    Ok(listed["consumers"].as_array().context("consumers")?.clone())
}

fn state<'v>(consumers: &'v [Value], name: &str) -> Option<&'v str> {
    let found = consumers.iter().find(|consumer| consumer["name"] == name)?;
    found["state"].as_str()
}

#[rstest]
#[tokio::test]
async fn five_of_six_have_moved_and_the_sixth_is_named(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    sign_in(&desk).await?;
    let server = Server::start(&desk).await?;
    let bot = key(&desk, "bot", "token:PRIMARY", &[]).await?;
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let names: Vec<String> = (1..=6).map(|number| format!("strategy-{number}")).collect();
    for name in &names {
        let got = until(async || gets(&server, &bot, name).await.is_ok_and(|status| status == 200));
        assert!(got.await, "{}", server.log());
    }
    let mut events = server.events_at("/api/v1/events", &admin).await?;
    events.until("\"name\":\"strategy-6\"").await?;
    sign_in(&desk).await?;
    for name in &names[..5] {
        let request = Request::to(&server, "GET", TOKEN).by(&bot);
        let answer = server.send(&request.with("X-Vega-Consumer", name)).await?;
        assert_eq!(answer.json()?["generation"], 2);
    }
    let moved = tokio::time::Instant::now();
    events.until("\"state\":\"behind\"").await?;
    let is_named = until(async || {
        let listed = listed(&desk).await.unwrap_or_default();
        state(&listed, "strategy-6") == Some("behind") && state(&listed, "strategy-5") == Some("current")
    });
    assert!(is_named.await, "{:?}", listed(&desk).await?);
    let took = moved.elapsed();
    ensure!(took < NAMED_WITHIN * 6, "it was named after {took:?}");
    let table = desk.vega(&["consumers"]).await?;
    ensure!(
        table
            .stderr
            .contains("5 of 6 have the newest token of PRIMARY. Not yet: strategy-6"),
        "{table:?}"
    );
    let over_http = server.get("/api/v1/consumers", &admin).await?.json()?;
    let over_http = over_http["consumers"].as_array().context("consumers")?.clone();
    assert_eq!(state(&over_http, "strategy-6"), Some("behind"));
    assert_eq!(over_http.len(), 6);
    let figures = server.get("/metrics", &admin).await?.text;
    let figure = |begins: &str, ends: &str| {
        figures
            .lines()
            .any(|line| line.starts_with(begins) && line.ends_with(ends))
    };
    ensure!(
        figure("vega_consumers{api=\"PRIMARY\",state=\"behind\"}", " 1"),
        "{figures}"
    );
    ensure!(
        figure("vega_consumers{api=\"PRIMARY\",state=\"current\"}", " 5"),
        "{figures}"
    );
    ensure!(
        figures
            .lines()
            .any(|line| line.starts_with("vega_consumer_behind")
                && line.contains("consumer=\"strategy-6\"")
                && line.ends_with(" 1")),
        "{figures}"
    );
    // What was seen is there after a restart.
    server.stop().await?;
    let server = Server::start(&desk).await?;
    let known = server.get("/api/v1/consumers", &admin).await?.json()?;
    assert_eq!(known["consumers"].as_array().map(Vec::len), Some(6));
    drop(server);
    Ok(())
}

#[tokio::test]
async fn a_stopped_key_gets_nothing_under_any_name_until_it_is_opened() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    sign_in(&desk).await?;
    let server = Server::start(&desk).await?;
    let (bot, other) = (
        key(&desk, "bot", "token:PRIMARY", &[]).await?,
        key(&desk, "other", "token:PRIMARY", &[]).await?,
    );
    let gets_it = async |key: &Caller, name: &str, wanted: u16| {
        until(async || {
            gets(&server, key, name)
                .await
                .is_ok_and(|status| status == wanted)
        })
        .await
    };
    assert!(gets_it(&bot, "strategy-a", 200).await, "{}", server.log());
    assert!(gets_it(&other, "strategy-a", 200).await);
    let mut events = server.events_at("/api/v1/apis/PRIMARY/events", &bot).await?;
    events.until("\"servable\":true").await?;

    // A name that it took itself is nothing that can be stopped.
    let refused = desk.vega(&["consumers", "stop", "nobody"]).await?;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let why = ["consumers", "stop", "bot", "--reason", "too many orders"];
    let stopped = desk.vega(&why).await?;
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(gets_it(&bot, "strategy-a", 403).await);
    assert_eq!(gets(&server, &bot, "another-name").await?, 403);
    assert_eq!(gets(&server, &other, "strategy-a").await?, 200, "another key");
    let request = Request::to(&server, "GET", &format!("{TOKEN}?wait=1s")).by(&bot);
    let answer = server.send(&request).await?;
    assert_eq!(
        (answer.status, &answer.json()?["code"]),
        (403, &"consumer_stopped".into())
    );
    ensure!(answer.text.contains("too many orders"), "{answer:?}");
    events.until("event: end").await?;
    events.until("consumer_stopped").await?;
    // Nothing of the database is wrong with it.
    let ready = server.send(&Request::to(&server, "GET", "/readyz")).await?;
    assert_eq!(ready.status, 200, "{ready:?}");
    let status = desk.vega(&["status"]).await?;
    assert_eq!((status.code, &*status.stderr), (Some(3), ""), "{status:?}");
    // Through a restart.
    server.stop().await?;
    let server = Server::start(&desk).await?;
    assert_eq!(gets(&server, &bot, "strategy-a").await?, 403);

    let opened = desk.vega(&["consumers", "open", "bot"]).await?;
    assert_eq!(opened.code, Some(0), "{opened:?}");
    let again = until(async || {
        gets(&server, &bot, "strategy-a")
            .await
            .is_ok_and(|status| status == 200)
    });
    assert!(again.await, "{}", server.log());
    let trail = desk.vega(&["audit"]).await?.stdout;
    for kind in [
        "consumer_stopped",
        "consumer_opened",
        "by `vega consumers`",
        "is stopped by the operator",
    ] {
        ensure!(trail.contains(kind), "{kind}: {trail}");
    }
    drop(server);
    Ok(())
}

/// `curl` at the socket: whatever it calls itself, the kernel knows it.
#[tokio::test]
async fn a_stopped_program_at_the_socket_is_known_by_what_the_kernel_says() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("vega.sock");
    desk.set("VEGA__SERVER__SOCKET", &socket.display().to_string());
    sign_in(&desk).await?;
    let server = Server::start(&desk).await?;
    let curl = async |name: &str| -> Result<String> {
        let asked = Command::new("curl")
            .args([
                "--silent",
                "--max-time",
                "20",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ])
            .arg("--unix-socket")
            .arg(&socket)
            .args(["--header", &format!("X-Vega-Consumer: {name}")])
            .arg(format!("http://localhost{TOKEN}"))
            .output()
            .await?;
        Ok(String::from_utf8(asked.stdout)?)
    };
    assert_eq!(curl("strategy-a").await?, "200");
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let list = until(async || {
        let listed = server.get("/api/v1/consumers", &admin).await;
        listed.is_ok_and(|listed| listed.status == 200)
    });
    assert!(list.await);
    let seen = server.get("/api/v1/consumers", &admin).await?.json()?;
    let seen = &seen["consumers"][0];
    assert_eq!(
        (&seen["name"], &seen["access_path"], &seen["generation"]),
        (&"strategy-a".into(), &"socket".into(), &1.into())
    );
    // Its unit, where the tests run in one.
    let known_as = seen["known_as"].as_str().context("a name")?.to_owned();
    ensure!(known_as == "curl" || known_as.ends_with(".service"), "{seen}");

    // As soon as it is written down, the command line knows it too, and that nobody can be stopped by a name of its own.
    let says_who = until(async || {
        let refused = desk.vega(&["consumers", "stop", "strategy-a"]).await;
        let way_out = format!("`vega consumers stop {known_as}`");
        refused.is_ok_and(|refused| refused.code == Some(2) && refused.stderr.contains(&way_out))
    });
    assert!(says_who.await);
    let body = serde_json::json!({ "consumer": seen["consumer"] });
    let post = async |path: &str, body: &Value| -> Result<u16> {
        let path = format!("/api/v1/consumers/{path}");
        Ok(server.post(&path, &admin, body.clone()).await?.status)
    };
    assert_eq!(post("stop", &body).await?, 204);
    for name in ["strategy-a", "strategy-b", ""] {
        assert_eq!(curl(name).await?, "403");
    }
    let wrong = serde_json::json!({ "consumer": "user:0/nobody" });
    assert_eq!(post("stop", &wrong).await?, 404);
    assert_eq!(post("open", &body).await?, 204);
    assert_eq!(curl("strategy-a").await?, "200");
    drop(server);
    Ok(())
}
