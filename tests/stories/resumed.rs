//! A run that was cut off is taken up again on the same day, and abandoned on the next.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::Value;
use vega_tests::{Desk, Engine, Ran, Terminal, Upstox};

/// Vega dies like under `kill -9` as soon as the fourth token can be used.
async fn killed_after_the_fourth_token(upstox: &Upstox, desk: &Desk) -> Result<()> {
    desk.crash_at(Some("token_published 4"))?;
    let died = desk.vega(&["--yes"]).await?;
    assert_eq!(died.code, None, "{died:?}");
    desk.crash_at(None)?;
    assert_eq!(upstox.count("tokens_issued").await?, 4);
    Ok(())
}

fn run_of(ran: &Ran) -> Result<(String, String)> {
    let report = ran.json()?;
    let word = |name: &str| {
        let word = report["run"][name].as_str().map(str::to_owned);
        word.with_context(|| format!("no {name}: {report}"))
    };
    Ok((word("id")?, word("state")?))
}

/// How often the audit trail tells this, and of which run last.
async fn told(desk: &Desk, kind: &str) -> Result<Vec<Value>> {
    let report = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = report["entries"].as_array().context("entries")?;
    let of_kind = entries.iter().filter(|entry| entry["kind"] == kind);
    Ok(of_kind.cloned().collect())
}

#[rstest]
#[tokio::test]
async fn seed_2_4_state_is_persisted_for_crash_recovery(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    killed_after_the_fourth_token(&upstox, &desk).await?;

    let ran = desk.vega(&["resume", "--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("4 of 6 tokens; this goes on with it"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("Signing in for 2 APIs"), "{ran:?}");
    let apps: Vec<&str> = upstox.apps().collect();
    let report = ran.report()?;
    assert_eq!(
        report.steps_in_state("done"),
        apps,
        "one run with six steps: {report:?}"
    );
    let (run, state) = run_of(&ran)?;
    assert_eq!(state, "completed");
    let began = told(&desk, "run_started").await?;
    let taken_up = told(&desk, "run_taken_up").await?;
    assert_eq!((began.len(), taken_up.len()), (1, 1), "{began:?} {taken_up:?}");
    assert_eq!(
        (&began[0]["run"], &taken_up[0]["run"]),
        (&Value::from(&*run), &Value::from(&*run))
    );
    let counters = upstox.counters().await?;
    assert_eq!(
        [
            &counters["tokens_issued"],
            &counters["otp_presses"],
            &counters["max_exchanges_of_one_code"]
        ],
        [6, 2, 1],
        "one OTP per browser session: {counters}"
    );

    let nothing = desk.vega(&["resume"]).await?;
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    assert!(
        nothing.stderr.contains("No run of today is incomplete"),
        "{nothing:?}"
    );
    Ok(())
}

#[rstest]
#[tokio::test]
async fn on_the_next_day_it_is_abandoned_and_a_fresh_plan_is_made(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    killed_after_the_fourth_token(&upstox, &desk).await?;
    // Whatever the hour is now: one day later the tokens have died.
    upstox.move_clock(TimeDelta::days(1)).await?;
    desk.move_clock(TimeDelta::days(1))?;

    let resumed = desk.vega(&["resume", "--yes"]).await?;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert!(
        resumed
            .stderr
            .contains("was abandoned: 03:30 IST came after 4 of 6 tokens"),
        "{resumed:?}"
    );
    assert!(
        resumed.stderr.contains("No run of today is incomplete"),
        "{resumed:?}"
    );
    assert_eq!(upstox.count("tokens_issued").await?, 4);

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("goes on with it"), "{ran:?}");
    let (run, state) = run_of(&ran)?;
    assert_eq!(state, "completed");
    assert_eq!(ran.report()?.steps_in_state("done").len(), 6);
    let began = told(&desk, "run_started").await?;
    assert_eq!(began.len(), 2);
    assert_eq!(began[1]["run"], *run);
    let ended = told(&desk, "run_ended").await?;
    let ends: Vec<&str> = ended
        .iter()
        .filter_map(|entry| entry["detail"].as_str())
        .collect();
    assert!(ends[0].starts_with("abandoned: "), "{ends:?}");
    assert!(ends[1].starts_with("completed: 6 of 6"), "{ends:?}");
    assert_eq!(upstox.count("tokens_issued").await?, 10);
    Ok(())
}

/// Nobody asks for the rest: the run stays open and says so, and `vega` offers to go on with it.
#[tokio::test]
async fn one_api_of_an_open_run_can_be_asked_for_alone() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    killed_after_the_fourth_token(&upstox, &desk).await?;
    let apps: Vec<&str> = upstox.apps().collect();
    let ran = desk.vega(&["--yes", "--json", apps[5]]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("not complete without {}", apps[4])),
        "{ran:?}"
    );
    assert_eq!(run_of(&ran)?.1, "incomplete");

    let mut vega = desk.start_in_terminal(&[])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("5 of 6 tokens; this goes on with it").await?;
    terminal.wait_for("Go on with 1 API now?").await?;
    terminal.type_keys("y").await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    let ended = told(&desk, "run_ended").await?;
    let last = ended.last().context("an end")?;
    assert_eq!(last["detail"], "completed: 6 of 6 steps settled");
    Ok(())
}

/// The names were changed meanwhile: nothing is left to go on with, and that is said before anything is asked.
#[tokio::test]
async fn a_run_of_apis_that_are_configured_no_more_is_not_taken_for_all() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::with_test_hooks(&upstox)?;
    killed_after_the_fourth_token(&upstox, &desk).await?;
    for number in 0..upstox.apps().count() {
        desk.set(&format!("UPSTOX_API_NAME_{number}"), &format!("NEW{number}"));
    }
    let ran = desk.vega(&["resume", "--yes"]).await?;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr
            .contains("none of the APIs of today's incomplete run is configured any more: "),
        "{ran:?}"
    );
    assert_eq!(upstox.count("tokens_issued").await?, 4);
    Ok(())
}
