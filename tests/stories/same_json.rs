//! What `vega --json` prints and what the server answers about the same desk: the same shapes, the same words.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vega_tests::{Desk, Server, Upstox};

use crate::server_route_permissions::key;

/// The names of an object's fields.
fn fields(of: &Value) -> Vec<&str> {
    of.as_object()
        .map(|object| object.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn the_command_line_and_the_server_say_the_same() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    for name in ["old", "trader"] {
        key(&desk, name, "status,token:PRIMARY", &[]).await?;
    }
    assert_eq!(desk.vega(&["key", "revoke", "old"]).await?.code, Some(0));
    // One token, and an account that cools down.
    upstox.session_mode("otp").await?;
    upstox.otp_limit(1).await?;
    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let vega = async |arguments: &[&str]| desk.vega(&[arguments, &["--json"]].concat()).await?.json();
    let answer = async |path: &str| server.get(&format!("/api/v1/{path}"), &console).await?.json();

    let (status, apis) = (vega(&["status"]).await?, answer("apis").await?);
    for field in ["v", "apis", "accounts"] {
        assert_eq!(status[field], apis[field], "{field}");
    }
    let account = &status["accounts"][0];
    assert_eq!(account["cooldown"]["failure"]["reason"], "throttled", "{account}");
    let mut closed = vega(&["cooldown"]).await?["closed"][0].take();
    let of = closed
        .as_object_mut()
        .context("a closed account")?
        .remove("account");
    assert_eq!(
        (of, closed),
        (Some(json!("default")), account["cooldown"].clone())
    );
    assert_eq!(ran.json()?["run"], answer("runs/current").await?);
    for (arguments, path) in [
        (&["key", "list"][..], "keys"),
        (&["audit"], "audit?limit=500"),
        (&["audit", "--verify"], "audit/verdict"),
    ] {
        assert_eq!(vega(arguments).await?, answer(path).await?, "{path}");
    }
    let (here, there) = (vega(&["config"]).await?, answer("config").await?);
    assert_eq!(fields(&here), fields(&there));
    assert_eq!(fields(&here["settings"][0]), ["key", "source", "value"], "{here}");
    assert_eq!(
        fields(&there["settings"][0]),
        ["key", "source", "value"],
        "{there}"
    );

    let reader = key(&desk, "reader", "token:PRIMARY", &[]).await?;
    let token = server.get("/api/v1/apis/PRIMARY/token", &reader).await?.json()?;
    let mut printed = vega(&["token", "PRIMARY"]).await?;
    printed.as_object_mut().context("a token")?.remove("answer");
    assert!(
        printed == token,
        "fields: {:?}, {:?}",
        fields(&printed),
        fields(&token)
    );
    Ok(())
}
