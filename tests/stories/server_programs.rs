//! Programs and the server: a token read over HTTP works at Upstox, through Upstox's own SDK; what `vega` changes on the
//! command line is served at once, and what dies is served no more.

use std::process::Stdio;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::json;
use tokio::process::Command;
use vega_tests::{Answer, Caller, Desk, Engine, Server, Upstox, python, until};

async fn key(desk: &Desk, scopes: &str) -> Result<String> {
    let made = desk.vega(&["key", "add", "trader", "--scope", scopes]).await?;
    anyhow::ensure!(made.code == Some(0), "{made:?}");
    Ok(made.stdout.trim().to_owned())
}

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

#[tokio::test]
async fn upstoxs_own_python_sdk_works_with_a_token_of_the_server() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let server = Server::start(&desk).await?;
    let key = key(&desk, "token:PRIMARY").await?;
    let ran = Command::new(python()?)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stories/python_sdk.py"))
        .args([server.address(), "PRIMARY", &upstox.base_url()])
        .env("VEGA_KEY", key)
        .stdin(Stdio::null())
        .output()
        .await
        .context("python")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(said.trim(), upstox.seed().accounts[0].user_id, "{ran:?}");
    Ok(())
}

/// Waits until the server answers so. How long that takes is measured by `cargo xtask bench`.
async fn until_it_answers(server: &Server, caller: &Caller, so: impl Fn(&Answer) -> bool) -> Result<()> {
    let answers = until(async || server.get(TOKEN, caller).await.is_ok_and(|answer| so(&answer)));
    anyhow::ensure!(answers.await, "{:?}", server.get(TOKEN, caller).await);
    Ok(())
}

#[rstest]
#[tokio::test]
async fn what_vega_does_elsewhere_is_served_at_once(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let server = Server::start(&desk).await?;
    let program = Caller::Key(key(&desk, "token:PRIMARY,status").await?);
    let missing = server.get(TOKEN, &program).await?;
    assert_eq!(
        (missing.status, &missing.json()?["code"]),
        (409, &json!("human_needed"))
    );
    let events = server.curl_events(&desk, &program).await?;

    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    until_it_answers(&server, &program, |answer| answer.status == 200).await?;
    let first = server.get(TOKEN, &program).await?;
    assert_eq!(first.json()?["access_token"], desk.token("PRIMARY").await?);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let tag = first.header("etag").context("a tag")?.to_owned();
    let known = [("if-none-match", tag.as_str())];
    let same = server.call("GET", TOKEN, &program, &known, None).await?;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    let long = server.get(&format!("{TOKEN}?min_valid=86400"), &program).await?;
    assert_eq!(long.status, 409, "no token lives so long: {long:?}");
    for length in ["0", "1s", "0m"] {
        let short = server
            .get(&format!("{TOKEN}?min_valid={length}"), &program)
            .await?;
        assert_eq!(short.status, 200, "{length}: {short:?}");
    }
    let wrong = server.get(&format!("{TOKEN}?min_valid=soon"), &program).await?;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    events
        .until("token", |token| {
            token["api"] == "PRIMARY" && token["servable"] == true
        })
        .await?;
    events.until("run", |run| run["elsewhere"] == true).await?;

    // Another one takes its place.
    let forced = ["--yes", "--force", "--reason", "a story", "PRIMARY"];
    assert_eq!(desk.vega(&forced).await?.code, Some(0));
    until_it_answers(&server, &program, |answer| answer.header("etag") != Some(&*tag)).await?;

    // Upstox calls it dead.
    upstox.revoke_tokens().await?;
    desk.vega(&["verify"]).await?;
    until_it_answers(&server, &program, |answer| answer.status == 409).await?;
    events
        .until("token", |token| {
            token["api"] == "PRIMARY" && token["status"] == "invalid"
        })
        .await?;

    // The operator takes one back.
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    until_it_answers(&server, &program, |answer| answer.status == 200).await?;
    assert_eq!(desk.vega(&["revoke", "PRIMARY", "--yes"]).await?.code, Some(0));
    until_it_answers(&server, &program, |answer| answer.status == 409).await?;
    Ok(())
}

/// Nobody has a page open, and nobody asks.
#[tokio::test]
async fn at_0330_tokens_expire_by_themselves() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let server = Server::start(&desk).await?;
    let program = Caller::Key(key(&desk, "token:PRIMARY,status").await?);
    let status = desk.status().await?;
    let dies = status.api("PRIMARY")?["valid_until_unix"]
        .as_i64()
        .context("an end")?;
    let left = dies - upstox.machine_time().await?.timestamp();
    let events = server.curl_events(&desk, &program).await?;
    // When the key was used is stored soon after, which makes the server look. From then on nothing but time does.
    let is_stored = until(async || {
        let keys = desk
            .vega(&["key", "list", "--json"])
            .await
            .and_then(|keys| keys.json());
        keys.is_ok_and(|keys| keys["keys"][0]["last_used_at"].is_string())
    });
    assert!(is_stored.await);

    desk.move_clock(TimeDelta::seconds(left - 30))?;
    events
        .until("token", |token| {
            token["servable"] == false && token["status"] == "valid"
        })
        .await?;
    let last_minute = server.get(TOKEN, &program).await?;
    assert_eq!(last_minute.status, 409, "{last_minute:?}");
    assert!(last_minute.text.contains("from 03:31 IST on"), "{last_minute:?}");
    desk.move_clock(TimeDelta::seconds(left + 1))?;
    events
        .until("token", |token| token["status"] == "expired")
        .await?;
    let expired = server.get(TOKEN, &program).await?;
    assert_eq!(
        (expired.status, &expired.json()?["code"]),
        (409, &json!("human_needed"))
    );
    Ok(())
}

/// What closes an account is told with what lifts it, here and in the console, and what that risks.
#[tokio::test]
async fn a_program_hears_why_there_is_no_token_and_what_lifts_it() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let program = Caller::Key(key(&desk, "token:PRIMARY,status").await?);
    upstox.otp_limit(0).await?;
    assert_eq!(desk.vega(&["--yes", "--no-wait", "PRIMARY"]).await?.code, Some(4));
    until_it_answers(&server, &program, |answer| answer.status == 429).await?;
    let cools = server.get(TOKEN, &program).await?;
    assert_eq!(cools.json()?["code"], "cooling_down", "{cools:?}");
    let at_the_terminal = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(at_the_terminal.code, Some(3), "{at_the_terminal:?}");
    let said = at_the_terminal
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        said.contains("`vega cooldown clear default --reason TEXT`"),
        "{said}"
    );
    assert!(cools.header("retry-after").is_some(), "{cools:?}");

    // The kinder one is lifted, and Upstox refuses the PIN: nothing but a human's word ends that.
    let clear = ["cooldown", "clear", "default", "--reason", "a story"];
    assert_eq!(desk.vega(&clear).await?.code, Some(0));
    upstox.otp_limit(u32::MAX).await?;
    upstox.human_mistypes("wrong_pin").await?;
    let mut impatient = desk.copy()?;
    drop(server);
    impatient.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "10s");
    let server = Server::start(&impatient).await?;
    assert_eq!(impatient.vega(&["--yes", "PRIMARY"]).await?.code, Some(7));
    let is_stopped = |answer: &Answer| answer.status == 409 && answer.text.contains("is stopped");
    until_it_answers(&server, &program, is_stopped).await?;
    let stopped = server.get(TOKEN, &program).await?;

    for (answer, lifts) in [
        (cools, "A run waits until then and goes on by itself"),
        (stopped, "your yes to the next plan opens it"),
    ] {
        let told = answer.json()?["detail"].as_str().context("words")?.to_owned();
        for part in [
            lifts,
            "console",
            "`vega cooldown clear default --reason TEXT`",
            "Upstox",
        ] {
            assert!(told.contains(part), "{told:?} does not say {part:?}");
        }
        let boards = server.get("/api/v1/apis", &program).await?;
        assert!(boards.text.contains("way_out"), "{boards:?}");
    }
    Ok(())
}
