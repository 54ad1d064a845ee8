//! `?wait=` on a token, and its stream of events: what waits is told of the next token, and only as long as it may have it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;
use vega_tests::{Caller, Desk, Events, Request, Server, Upstox};

use crate::server_route_permissions::key;

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

async fn another_token(desk: &Desk) -> Result<()> {
    let force = ["--yes", "PRIMARY", "--force", "--reason", "another token"];
    let ran = desk.vega(&force).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn who_waits_gets_the_next_token_and_nobody_whose_key_was_revoked_meanwhile() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Arc::new(Server::start(&desk).await?);
    let (good, bad) = (
        key(&desk, "good", "token:PRIMARY", &[]).await?,
        key(&desk, "bad", "token:PRIMARY", &[]).await?,
    );
    let wait = |query: &str, key: &Caller| {
        let request = Request::to(&server, "GET", &format!("{TOKEN}{query}")).by(key);
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.send(&request).await })
    };
    let too_long = wait("?wait=51s", &good).await??;
    assert_eq!(too_long.status, 400, "{too_long:?}");
    let in_vain = wait("?wait=1s", &good).await??;
    assert_eq!(in_vain.status, 409, "{in_vain:?}");

    let mut events = server.events_at("/api/v1/apis/PRIMARY/events", &good).await?;
    events.until("\"code\":\"human_needed\"").await?;
    ensure!(events.text().contains("\"servable\":false"), "{}", events.text());
    let mut of_bad = server.events_at("/api/v1/apis/PRIMARY/events", &bad).await?;
    let (first, revoked) = (wait("?wait=50s", &good), wait("?wait=50s", &bad));
    sleep(Duration::from_millis(500)).await;
    let ran = desk.vega(&["key", "revoke", "bad"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    of_bad.until("event: end").await?;
    of_bad.until("was revoked").await?;
    another_token(&desk).await?;
    let (first, revoked) = (first.await??, revoked.await??);
    assert_eq!((first.status, revoked.status), (200, 401), "{revoked:?}");
    let token = desk.token("PRIMARY").await?;
    ensure!(first.text.contains(&token) && !revoked.text.contains(&token));
    events.until("\"generation\":1").await?;
    ensure!(!events.text().contains(&token));

    let tag = first.header("etag").context("a tag")?;
    let request = Request::to(&server, "GET", &format!("{TOKEN}?wait=50s")).by(&good);
    let request = request.with("If-None-Match", tag);
    let (next, signed_in) = tokio::join!(server.send(&request), another_token(&desk));
    signed_in?;
    assert_eq!(next?.json()?["generation"], 2);
    events.until("\"generation\":2").await?;
    server_stops(server, events).await
}

/// Whoever listens is told.
async fn server_stops(server: Arc<Server>, mut events: Events) -> Result<()> {
    let server = Arc::into_inner(server).context("nobody else has it")?;
    let (stopped, told) = tokio::join!(server.stop(), events.until("\"code\":\"stopping\""));
    stopped?;
    told
}
