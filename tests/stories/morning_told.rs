//! The log at level INFO tells a morning, by `vega` and by the server, as text and as JSON: who began it, the press, what was
//! stored, what it waited for, how it ended. With India's time, and without a secret.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vega_tests::{Desk, Server, Upstox};

use crate::no_leaks::{all_secrets, nothing_in};
use crate::server_route_permissions::key;

/// What must be told, in this order.
const MORNING: [&str; 5] = [
    "run begun",
    "Get OTP pressed",
    "token stored",
    "token stored",
    "run ended",
];

async fn with_every_kind_of_token(upstox: &Upstox) -> Result<()> {
    upstox
        .scenario(json!({ "scope": "all", "on": "exchange", "kind": "with_extended_token" }))
        .await
}

#[tokio::test]
async fn the_log_of_vega_tells_a_morning() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("RUST_LOG", "info");
    with_every_kind_of_token(&upstox).await?;
    let ran = desk.vega(&["PRIMARY", "WEBSOCKET1", "--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains(" INFO "))
        .collect();
    let mut rest = told.iter();
    for what in MORNING {
        assert!(
            rest.any(|line| line.contains(what)),
            "{what} is not told, or too early: {told:#?}"
        );
    }
    for line in &told {
        let (time, _) = line.split_once(char::is_whitespace).context("a time")?;
        let at = chrono::DateTime::parse_from_rfc3339(time).with_context(|| (*line).to_owned())?;
        assert_eq!(at.offset().local_minus_utc(), 19_800, "{line}");
    }
    let begun = told
        .iter()
        .find(|line| line.contains("run begun"))
        .context("begun")?;
    assert!(
        begun.contains("with --yes") && begun.contains("open=2"),
        "{begun}"
    );
    let leaks = all_secrets(&upstox, 2, 2).await?;
    nothing_in(&leaks, &[("the log", ran.stderr.as_bytes(), "run begun")]);
    // Nobody else is told of it.
    desk.set("RUST_LOG", "warn");
    let quiet = desk
        .vega(&["PRIMARY", "--yes", "--force", "--reason", "a story"])
        .await?;
    assert_eq!(quiet.code, Some(0), "{quiet:?}");
    assert!(!quiet.stderr.contains("run begun"), "{quiet:?}");
    Ok(())
}

/// By itself: whoever runs a server sets no level.
#[tokio::test]
async fn the_log_of_the_server_tells_a_morning_as_json_and_who_said_yes() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SERVER__LOG_FORMAT", "json");
    with_every_kind_of_token(&upstox).await?;
    let caller = key(&desk, "morning-bot", "runs,status,token:primary", &[]).await?;
    let server = Server::start(&desk).await?;
    let apis = json!({ "apis": ["primary", "WebSocket1"] });
    let run = server.start_run(&caller, apis).await?;
    let ended = server.ended(&run, &caller).await?;
    assert_eq!(ended["state"], "completed", "{ended}");

    // A name is the same in any case of letters.
    for path in ["/api/v1/apis/primary", "/api/v1/apis/Primary/token"] {
        let answer = server.get(path, &caller).await?;
        assert_eq!(
            (answer.status, &answer.json()?["api"]),
            (200, &json!("PRIMARY")),
            "{answer:?}"
        );
    }
    assert_eq!(
        server.get("/api/v1/apis/websocket1/token", &caller).await?.status,
        403
    );

    let log = server.log();
    let told: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut rest = told.iter();
    for what in MORNING {
        let told = rest.any(|entry| entry["fields"]["message"] == what);
        assert!(told, "{what} is not told, or too early: {log}");
    }
    let begun = told
        .iter()
        .find(|entry| entry["fields"]["message"] == "run begun");
    let begun = begun.context("begun")?;
    assert_eq!(begun["fields"]["by"], "access key morning-bot", "{begun}");
    assert!(
        told.iter().all(|entry| entry["timestamp"]
            .as_str()
            .is_some_and(|at| at.ends_with("+05:30"))),
        "{log}"
    );
    let leaks = all_secrets(&upstox, 2, 2).await?;
    nothing_in(&leaks, &[("the log", log.as_bytes(), "run begun")]);
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn the_log_tells_why_a_morning_ended_early() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("RUST_LOG", "info");
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    upstox.human_mistypes("wrong_pin").await?;
    let ran = desk.vega(&["PRIMARY", "--yes"]).await?;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let failed = ran.stderr.lines().find(|line| line.contains("sign-in failed"));
    assert!(
        failed.is_some_and(|line| line.contains("pin_refused")),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("state=\"incomplete\""), "{}", ran.stderr);
    Ok(())
}
