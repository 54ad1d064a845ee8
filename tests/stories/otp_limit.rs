//! Upstox refuses a further OTP for the mobile number.

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::Value;
use vega_tests::{Counts, Desk, Engine, Upstox};

#[rstest]
#[tokio::test]
async fn a_refused_press_ends_the_run_with_the_words_of_the_page(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    upstox.otp_limit(0).await?;

    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let report = ran.report()?;
    let step = report.step("PRIMARY")?;
    assert_eq!(
        (&step["state"], &step["reason"]),
        (&"failed".into(), &"throttled".into()),
        "{step}"
    );
    let detail = step["detail"].as_str().context("a detail")?;
    assert!(
        detail.contains("exceeded the maximum number of times you can generate an OTP"),
        "the page's words, not a silence that was waited out: {detail}"
    );
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    assert!(
        !ran.stderr.contains("pressed 10 seconds ago"),
        "the toast was heard at once: {ran:?}"
    );
    // The press comes after the mobile screen, so it took less from the press to the failure.
    let (_, record) = report.evidence("PRIMARY")?;
    let screens = record["screens"].as_array().context("screens")?;
    let last = screens.last().context("a screen")?;
    assert_eq!(last["screen"], "mobile", "{record}");
    let millis = |of: &Value| of["after_ms"].as_u64().context("a time");
    assert!(millis(&record)? - millis(last)? < 10_000, "{record}");

    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["otp_presses"], &counters["otp_refused"]),
        (&1.into(), &1.into()),
        "one press: {counters}"
    );
    assert_eq!(counters["codes_issued"], 0, "{counters}");
    Ok(())
}

#[tokio::test]
async fn a_press_that_is_refused_without_a_word_is_waited_for_and_not_made_again() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.silent_otp_limit(0).await?;

    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr.contains("pressed 10 seconds ago"),
        "the human heard of it meanwhile: {ran:?}"
    );
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "throttled", "{report:?}");
    let detail = report.step("PRIMARY")?["detail"].as_str().context("a detail")?;
    assert!(detail.contains("without a word"), "{detail}");
    assert_eq!(report.steps_in_state("pending").len(), 5, "{report:?}");
    assert_eq!(upstox.count("otp_refused").await?, 1);
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 1,
            dialogs_opened: 1,
            ..Counts::default()
        }
    );
    Ok(())
}
