//! A code was sent for a token, and the answer is lost or cannot be read. A code is sent once, whatever comes back.

use anyhow::Result;
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Engine, Report, Upstox};

const API: &str = "WEBSOCKET2";

#[rstest]
#[tokio::test]
async fn never_3_a_code_sent_twice(#[values(Engine::Sqlite, Engine::Postgres)] engine: Engine) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    run_with(&upstox, &desk, "reset_after", "outcome_unknown").await?;

    let dialogs = upstox.count("dialogs_opened").await?;
    let standing = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(standing.code, Some(5), "{standing:?}");
    assert_eq!(upstox.count("dialogs_opened").await?, dialogs, "{standing:?}");
    let next = desk.vega(&["--yes", "--again", API, "--json"]).await?;
    assert_eq!(next.code, Some(0), "{next:?}");
    let report = next.report()?;
    assert_eq!(report.step(API)?["state"], "done", "{report:?}");
    assert_eq!(upstox.count("dialogs_opened").await? - dialogs, 1);
    assert_eq!(upstox.count("max_exchanges_of_one_code").await?, 1);
    let token = desk.token(API).await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_kept_for_review_and_nothing_is_published() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    run_with(&upstox, &desk, "non_json", "needs_review").await?;
    Ok(())
}

/// A first run in which the exchange of one API goes wrong in this way, once.
async fn run_with(upstox: &Upstox, desk: &Desk, kind: &str, reason: &str) -> Result<()> {
    upstox
        .scenario(json!({ "scope": { "app": API }, "on": "exchange", "kind": kind, "times": 1 }))
        .await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.steps_in_state("failed"), [API], "{report:?}");
    assert_eq!(report.step(API)?["reason"], reason, "{report:?}");
    assert_only_it_is_missing(&report, reason)?;

    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["exchanges"], &counters["max_exchanges_of_one_code"]),
        (&6.into(), &1.into()),
        "each code was sent once: {counters}"
    );
    assert_eq!(
        counters["tokens_issued"], 6,
        "Upstox did make the token: {counters}"
    );
    for api in upstox.apps().filter(|api| *api != API) {
        let token = desk.token(api).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{api}'s token works");
    }

    // The same for a process that comes later: nothing of it was stored as a token.
    assert_only_it_is_missing(&desk.status().await?, reason)?;
    let token = desk.vega(&["token", API]).await?;
    assert_eq!((token.code, token.stdout.as_str()), (Some(3), ""), "{token:?}");
    Ok(())
}

fn assert_only_it_is_missing(report: &Report, reason: &str) -> Result<()> {
    assert_eq!(report.apis_with_status("missing"), [API], "{report:?}");
    assert_eq!(report.apis_with_status("valid").len(), 5, "{report:?}");
    let api = report.api(API)?;
    assert_eq!(api["last_failure"]["reason"], reason, "{api}");
    assert!(api["generation"].is_null(), "{api}");
    Ok(())
}
