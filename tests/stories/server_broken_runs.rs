//! A run whose database refuses a step in the middle: its record says so, it is over for those who wait, and the next one
//! makes the token.

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Desk, Server, Upstox};

#[tokio::test]
async fn a_run_that_breaks_off_has_its_record_and_its_reason_and_goes_on_later() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    // From now on no step moves: the database refuses it in the middle of the run.
    desk.sql(
        "CREATE TRIGGER story BEFORE UPDATE ON execution_steps WHEN new.state = 'exchanging'
         BEGIN SELECT RAISE(ABORT, 'no step moves in this story'); END",
    )?;
    let run = server.start_run(&console, json!({ "apis": ["PRIMARY"] })).await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(
        (&ended["state"], &ended["under_way"]),
        (&json!("incomplete"), &json!(false)),
        "{ended}"
    );
    let [step] = &ended["steps"].as_array().context("steps")?[..] else {
        anyhow::bail!("not one step: {ended}");
    };
    assert_eq!(
        (&step["state"], &step["reason"]),
        (&json!("failed"), &json!("storage")),
        "{ended}"
    );
    let words = step["detail"].as_str().context("words")?;
    assert!(words.contains("no step moves in this story"), "{ended}");
    let (presses, log) = (upstox.count("otp_presses").await?, server.log());
    assert_eq!(presses, 1, "{ended}");
    let forged = log.lines().filter(|line| !line.starts_with("20"));
    assert_eq!(forged.count(), 0, "an entry is one line: {log}");

    desk.sql("DROP TRIGGER story")?;
    let run = server
        .start_run(&console, json!({ "apis": ["PRIMARY"], "again": ["PRIMARY"] }))
        .await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn the_report_of_a_run_that_breaks_off_has_the_run_and_the_reason() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["status"]).await?.code, Some(3));
    desk.sql(
        "CREATE TRIGGER story BEFORE UPDATE ON execution_steps WHEN new.state = 'done'
         BEGIN SELECT RAISE(ABORT, 'no step is done in this story'); END",
    )?;
    let ran = desk.vega(&["--yes", "--json", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(9), "{ran:?}");
    let report = ran.json()?;
    assert_eq!(
        (&report["outcome"]["code"], &report["run"]["state"]),
        (&json!("storage"), &json!("running")),
        "its end could not be put on record: {report}"
    );
    assert_eq!(
        report["apis"][0]["status"], "valid",
        "the token is there: {report}"
    );

    desk.sql("DROP TRIGGER story")?;
    let again = desk.vega(&["--yes", "--json", "PRIMARY"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.json()?["outcome"]["code"], "all_valid", "{again:?}");
    assert_eq!(upstox.count("otp_presses").await?, 1);
    Ok(())
}
