//! What the server says of itself to whoever looks after it.

use anyhow::{Context, Result};
use vega_tests::{Desk, Front, Server, Upstox, until};

use crate::server_route_permissions::new_console;

#[tokio::test]
async fn the_console_sees_what_the_server_works_with_and_whether_it_can() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__BROWSER__WEBDRIVER_URL", "http://127.0.0.1:1/");
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let answer = server.get("/api/v1/system", &console).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let system = answer.json()?;

    let live = server.get("/livez", &console).await?.json()?;
    assert_eq!(system["version"], live["version"]);
    let started = system["started_at_unix"].as_i64().context("a time")?;
    let opened = desk.database().metadata()?.created()?;
    let opened = i64::try_from(opened.duration_since(std::time::UNIX_EPOCH)?.as_secs())?;
    assert!((started - opened).abs() <= 60, "{system}");

    let database = &system["database"];
    assert_eq!(database["url"], format!("sqlite://{}", desk.database().display()));
    assert_eq!(database["engine"], "SQLite");
    assert!(
        database["engine_version"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.")),
        "{system}"
    );
    assert!(database["schema_version"].as_i64() >= Some(10), "{system}");
    let key_file = desk.path().join("config/vega/vega.key");
    assert_eq!(system["key"]["source"], "file");
    assert_eq!(system["key"]["path"], key_file.display().to_string());
    let id = system["key"]["id"].as_str().context("an id")?;
    let key = std::fs::read_to_string(&key_file)?;
    let secret = key.split_whitespace().last().context("a key")?;
    assert!(
        id.len() == 16 && !key.contains(id) && !answer.text.contains(secret),
        "{system}"
    );
    assert_eq!(
        system["sign_in"]["webdriver_url"]
            .as_str()
            .map(|url| url.contains("127.0.0.1:1")),
        Some(true),
        "{system}"
    );
    assert_eq!(system["health"]["ready"], true, "{system}");
    assert!(system["health"]["storage_problem"].is_null(), "{system}");

    // What `/readyz` says no to, this page explains.
    std::fs::rename(&key_file, key_file.with_extension("away"))?;
    let is_ready = until(async || {
        let ready = server.get("/readyz", &console).await;
        ready.is_ok_and(|ready| ready.status == 503)
    });
    assert!(is_ready.await, "it does not notice");
    let health = server.get("/api/v1/system", &console).await?.json()?["health"].clone();
    assert_eq!(health["ready"], false, "{health}");
    let why = health["storage_problem"].as_str().context("words")?;
    assert!(why.contains("vega.key"), "{why}");
    Ok(())
}

#[tokio::test]
async fn until_when_the_certificate_is_valid_is_told() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start_behind(&desk, Front::Tls).await?;
    let console = new_console(&desk, &server).await?;
    let system = server.get("/api/v1/system", &console).await?.json()?;
    let certificate = &system["certificate"];
    assert!(
        certificate["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("/desk.pem")),
        "{system}"
    );
    let end = certificate["not_after_unix"].as_i64().context("an end")?;
    assert!(
        certificate["not_after"]
            .as_str()
            .is_some_and(|at| at.ends_with("+05:30")),
        "{system}"
    );
    let metrics = server.get("/metrics", &console).await?.text;
    let figure = metrics
        .lines()
        .find_map(|line| line.strip_prefix("vega_tls_certificate_not_after_timestamp_seconds "))
        .context("a figure")?;
    assert_eq!(figure.parse::<i64>()?, end, "{figure}");
    server.stop().await?;

    let plain = Server::start(&desk).await?;
    let system = plain
        .get("/api/v1/system", &new_console(&desk, &plain).await?)
        .await?;
    assert!(system.json()?["certificate"].is_null(), "{system:?}");
    Ok(())
}
