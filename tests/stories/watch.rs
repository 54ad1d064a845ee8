//! `vega watch`: how the tokens stand, and each change, whoever makes it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;
use vega_tests::{Desk, Engine, Server, Stop, Upstox};

const API: &str = "PRIMARY";
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

fn lines_of(vega: &mut Child) -> Result<Lines<BufReader<ChildStdout>>> {
    let output = vega.stdout.take().context("its output")?;
    Ok(BufReader::new(output).lines())
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Value> {
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.context("no line comes")??.context("it has ended")?;
    Ok(serde_json::from_str(&line)?)
}

#[rstest]
#[tokio::test]
async fn each_change_is_a_line_and_no_line_holds_a_token_unless_it_was_asked_for(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let mut vega = desk.start(&["watch", API])?;
    let mut with_token = desk.start(&["watch", API, "--with-token"])?;
    let (mut plain, mut whole) = (lines_of(&mut vega)?, lines_of(&mut with_token)?);
    let none = json!({ "v": 1, "api": API, "servable": false, "kind": null, "generation": null, "version": null, "valid_until": null,
        "valid_until_unix": null });
    assert_eq!(next(&mut plain).await?, none);
    assert_eq!(next(&mut whole).await?, none);

    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let token = desk.token(API).await?;
    let line = next(&mut plain).await?;
    assert_eq!(
        (&line["servable"], &line["generation"]),
        (&json!(true), &json!(1))
    );
    let version = line["version"].as_str().unwrap_or_default();
    ensure!(version.starts_with("1-"), "{line}");
    ensure!(!line.to_string().contains(&token), "{line}");
    let line = next(&mut whole).await?;
    assert_eq!(line["access_token"], token);

    // A server comes and goes: nothing changed.
    let server = Server::start(&desk).await?;
    server.stop().await?;
    assert_eq!(desk.vega(&["revoke", API, "--yes"]).await?.code, Some(0));
    assert_eq!(next(&mut plain).await?, none);
    assert_eq!(next(&mut whole).await?, none);

    for watch in [vega, with_token] {
        Stop::Terminate.ask(&watch)?;
        let ended = timeout(PATIENCE, watch.wait_with_output()).await??;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    Ok(())
}
