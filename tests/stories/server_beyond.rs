//! A server beyond this machine: over its own TLS and behind real proxies, with the console, programs, redirects and other machines.
//! What strangers and other sites send there is looked at in `server_attacks` and `server_route_permissions`.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use vega_testing::PostgresServer;
use vega_tests::{Caller, Desk, Front, OwnBrowser, Request, Server, Terminal, Upstox, link_in, until};

use crate::server_route_permissions::{key, new_console};

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

#[rstest]
#[case::over_tls(Front::Tls)]
#[case::behind_nginx(Front::Nginx)]
#[case::behind_caddy(Front::Caddy)]
#[tokio::test]
async fn programs_and_the_console_are_served_as_on_this_machine(#[case] front: Front) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let server = Server::start_behind(&desk, front).await?;
    let program = key(&desk, "bot", "token:PRIMARY,status", &[]).await?;
    let comes = until(async || {
        server
            .get(TOKEN, &program)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(comes.await, "{}", server.log());
    let token = server.get(TOKEN, &program).await?;
    assert_eq!(token.json()?["access_token"], desk.token("PRIMARY").await?);
    assert_eq!(token.header("x-vega-stale-for"), None);
    let tag = token.header("etag").context("a tag")?;
    let known = server
        .call("GET", TOKEN, &program, &[("if-none-match", tag)], None)
        .await?;
    assert_eq!(known.status, 304);

    // The link that is printed leads to where browsers come, and opens a session of that host alone.
    let (_, port) = server.address().rsplit_once(':').context("a port")?;
    ensure!(
        server.log().contains(&format!(":{port}/enter#")),
        "{}",
        server.log()
    );
    let Caller::Console(cookie, second) = new_console(&desk, &server).await? else {
        anyhow::bail!("no console");
    };
    assert!(cookie.starts_with("__Host-vega_session="), "{cookie}");
    let console = Caller::Console(cookie.clone(), second.clone());
    assert_eq!(server.get("/api/v1/session", &console).await?.status, 200);
    let bare = cookie.trim_start_matches("__Host-");
    let tossed = Caller::Console(bare.to_owned(), second);
    assert_eq!(server.get("/api/v1/session", &tossed).await?.status, 401);

    // What happens comes through at once.
    let mut events = server.events(&console).await?;
    events.until("event: snapshot").await?;
    let revoked = desk.vega(&["revoke", "PRIMARY", "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    events.until("event: token").await?;
    server.stop().await?;
    Ok(())
}

#[rstest]
#[case::nginx(Front::Nginx)]
#[case::caddy(Front::Caddy)]
#[tokio::test]
async fn whoever_is_no_proxy_is_closed_before_it_says_anything(#[case] front: Front) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start_behind(&desk, front).await?;
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, server.own_port()));
    let ask = format!("GET /livez HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n");
    for (from, is_answered) in [(Ipv4Addr::new(127, 0, 0, 2), false), (Ipv4Addr::LOCALHOST, true)] {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let mut stream = socket.connect(own).await?;
        let _ = stream.write_all(ask.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(!answer.is_empty(), is_answered, "{from}");
    }
    let audit = async || -> Result<String> { Ok(desk.vega(&["audit"]).await?.stdout) };
    let is_told = until(async || {
        audit()
            .await
            .is_ok_and(|trail| trail.contains("it came from none of the proxies"))
    });
    assert!(is_told.await, "{}", audit().await?);
    Ok(())
}

/// The code comes to the server, and the `vega` that waits for it finds it in the database.
#[rstest]
#[case::at_its_address(false)]
#[case::at_its_name(true)]
#[tokio::test]
async fn a_redirect_over_tls_brings_its_code_to_whoever_waits(#[case] is_named: bool) -> Result<()> {
    let port = Server::free_port().await?;
    let upstox = Upstox::start_with_a_redirect_over_tls(port).await?;
    upstox
        .human_does_everything(std::time::Duration::from_millis(100))
        .await?;
    let mut desk = Desk::new(&upstox)?;
    if is_named {
        desk.set("VEGA__SERVER__PUBLIC_URL", &format!("https://localhost:{port}"));
    }
    let server = Server::start_behind_at(&desk, Front::Tls, port).await?;
    for setting in server.settings() {
        let (name, value) = setting.split_once('=').context("a setting")?;
        desk.set(name, value);
    }
    let browser = OwnBrowser::at(&desk).await?;
    let mut vega = desk.start_in_terminal(&["--yes", "--route", "own-browser", "PRIMARY"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("Sign in for PRIMARY (account default)").await?;
    terminal.wait_for("address").await?;
    ensure!(
        !terminal.shown().contains("no certificate"),
        "{}",
        terminal.shown()
    );
    browser.go_to(&link_in(terminal.shown())?).await?;
    browser
        .until_it_says("Vega has received the sign-in for PRIMARY")
        .await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.profile_status(&desk.token("PRIMARY").await?).await?, 200);
    browser.end().await
}

/// Two servers share a database, and perhaps a name, beside one of their own. One of them carries a run out, and asks its questions
/// itself.
#[rstest]
#[case::with_a_name_each(false)]
#[case::with_one_name_for_both(true)]
#[tokio::test]
async fn the_questions_of_a_run_are_asked_where_it_runs(#[case] is_name_shared: bool) -> Result<()> {
    let upstox = Upstox::start().await?;
    let url = PostgresServer::shared().fresh_database();
    let (mut one, mut other) = (Desk::new(&upstox)?, Desk::new(&upstox)?);
    one.use_database(&url);
    other.use_database(&url);
    // Nobody answers at the page: the run waits.
    upstox.human_at_the_desk(false).await?;
    assert_eq!(one.vega(&["status"]).await?.code, Some(3));
    one.give_key(&other)?;
    let runs = if is_name_shared {
        let port = Server::free_port().await?;
        for (desk, own) in [
            (&mut one, format!("https://localhost:{port}")),
            (&mut other, "https://desk2.example".to_owned()),
        ] {
            desk.set("VEGA__SERVER__PUBLIC_URL", "https://vega.example");
            desk.set("VEGA__SERVER__OWN_URL", &own);
        }
        Server::start_behind_at(&one, Front::Tls, port).await?
    } else {
        Server::start_behind(&one, Front::Nginx).await?
    };
    let asked = Server::start(&other).await?;
    let human = key(&one, "human", "runs", &[]).await?;
    let knows = until(async || {
        asked
            .get("/api/v1/apis", &human)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(knows.await, "{}", asked.log());
    runs.start_run(&human, json!({ "apis": ["PRIMARY"] })).await?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");

    let elsewhere =
        async |server: &Server| -> Result<Value> { server.get("/api/v1/runs/current", &human).await?.json() };
    let is_told = until(async || {
        elsewhere(&asked)
            .await
            .is_ok_and(|run| run["asks_at"] == runs.address() && run["elsewhere"] == true)
    });
    assert!(is_told.await, "{:?}", elsewhere(&asked).await);
    let run = elsewhere(&asked).await?["id"]
        .as_str()
        .context("an id")?
        .to_owned();
    for (method, path, body) in [
        ("GET", format!("/api/v1/runs/{run}/prompt"), None),
        (
            "POST",
            format!("/api/v1/runs/{run}/answers"),
            Some(json!({ "kind": "otp", "prompt": run, "otp": "123456" }).to_string()),
        ),
        ("POST", "/api/v1/runs".to_owned(), Some("{}".to_owned())),
    ] {
        let refused = asked.call(method, &path, &human, &[], body).await?;
        assert_eq!(refused.status, 409, "{method} {path}: {refused:?}");
        let problem = refused.json()?;
        assert_eq!(problem["code"], "held_elsewhere", "{problem}");
        assert_eq!(problem["url"], runs.address(), "{problem}");
    }
    // It can be cancelled from anywhere.
    let cancelled = asked.delete(&format!("/api/v1/runs/{run}"), &human).await?;
    assert_eq!(cancelled.status, 202, "{cancelled:?}");
    let over = until(async || elsewhere(&asked).await.is_ok_and(|run| run["under_way"] == false));
    assert!(over.await, "{:?}", elsewhere(&asked).await);
    Ok(())
}

/// A proxy keeps programs on a server whose database is away, and takes runs elsewhere.
#[tokio::test]
async fn a_server_without_its_database_serves_tokens_and_says_how_old_they_are() -> Result<()> {
    let upstox = Upstox::start().await?;
    let postgres = PostgresServer::alone("");
    let mut desk = Desk::new(&upstox)?;
    desk.use_database(&postgres.fresh_database());
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let program = key(&desk, "bot", "token:PRIMARY", &[]).await?;
    let server = Server::start(&desk).await?;
    let ready = async |path: &str| -> Result<u16> { Ok(server.get(path, &Caller::Stranger).await?.status) };
    assert_eq!(
        (ready("/readyz").await?, ready("/readyz/tokens").await?),
        (200, 200)
    );
    assert_eq!(
        server.get(TOKEN, &program).await?.header("x-vega-stale-for"),
        None
    );

    postgres.crash();
    let is_stale = until(async || {
        let answer = server
            .send(&Request::to(&server, "GET", TOKEN).by(&program))
            .await;
        answer.is_ok_and(|answer| answer.status == 200 && answer.header("x-vega-stale-for").is_some())
    });
    assert!(is_stale.await, "{}", server.log());
    let tokens = server.get("/readyz/tokens", &Caller::Stranger).await?;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    assert!(tokens.json()?["stale_for_seconds"].is_u64(), "{tokens:?}");
    let runs = until(async || ready("/readyz").await.is_ok_and(|status| status == 503));
    assert!(runs.await, "{}", server.log());
    // A long way of the same answer.
    let whole = server.get(&format!("{TOKEN}?min_valid=1"), &program).await?;
    assert!(whole.header("x-vega-stale-for").is_some(), "{whole:?}");

    postgres.start_again();
    let is_fresh = until(async || {
        let answer = server.get(TOKEN, &program).await;
        answer.is_ok_and(|answer| answer.status == 200 && answer.header("x-vega-stale-for").is_none())
    });
    assert!(is_fresh.await, "{}", server.log());
    Ok(())
}
