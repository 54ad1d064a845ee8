//! A server whose database does not say how things stand any more: programs get their tokens on, and nobody is shown as true
//! what may not be so any more.

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Desk, Server, Upstox, until};

use crate::server_route_permissions::key;

const EVENTS: &str = "/api/v1/events";

#[tokio::test]
async fn no_stream_shows_what_the_database_does_not_say() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let reader = key(&desk, "reader", "token:PRIMARY", &[]).await?;
    let mut stream = server.events(&console).await?;
    stream.until("event: snapshot").await?;

    desk.sql("ALTER TABLE cooldowns RENAME TO away")?;
    stream.to_its_end().await.context("what is old is shown on")?;
    let refused = server.get(EVENTS, &console).await?;
    assert_eq!(
        (refused.status, &refused.json()?["code"]),
        (503, &json!("storage"))
    );
    let token = server.get("/api/v1/apis/PRIMARY/token", &reader).await?;
    assert_eq!(token.status, 200, "programs go on: {token:?}");

    desk.sql("ALTER TABLE away RENAME TO cooldowns")?;
    let is_back = until(async || {
        let stream = server.events(&console).await;
        stream.is_ok_and(|stream| stream.status == 200)
    });
    assert!(is_back.await, "{}", server.log());
    Ok(())
}
