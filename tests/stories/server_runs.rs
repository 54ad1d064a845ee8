//! Runs over HTTP: a human at the console, or with curl, says yes, types OTP and PIN, and watches.

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Caller, Desk, Server, Upstox};

#[tokio::test]
async fn six_tokens_from_the_console() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;

    let before = server.get("/api/v1/apis", &console).await?.json()?;
    let apis = before["apis"].as_array().context("apis")?;
    assert_eq!(apis.len(), 6);
    assert!(apis.iter().all(|api| api["status"] == "missing"), "{before}");

    let run = server.start_run(&console, json!({})).await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    let steps = ended["steps"].as_array().context("steps")?;
    assert!(
        steps.len() == 6 && steps.iter().all(|step| step["state"] == "done"),
        "{ended}"
    );

    let after = server.get("/api/v1/apis", &console).await?.json()?;
    let apis = after["apis"].as_array().context("apis")?;
    assert!(
        apis.iter()
            .all(|api| api["status"] == "valid" && api["servable"] == true),
        "{after}"
    );
    // A console reads no tokens.
    let refused = server.get("/api/v1/apis/PRIMARY/token", &console).await?;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(server.get("/api/v1/apis", &Caller::Stranger).await?.status, 401);
    assert_eq!(upstox.count("otp_presses").await?, 1);
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}
