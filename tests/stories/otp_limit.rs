//! Upstox refuses a further OTP for the mobile number.

use anyhow::{Context, Result};
use vega_tests::{Desk, Upstox};

#[tokio::test]
async fn a_refused_press_ends_the_run_with_the_words_of_the_page() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.otp_limit(0).await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
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

    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["otp_presses"], &counters["otp_refused"]),
        (&1.into(), &1.into()),
        "one press: {counters}"
    );
    assert_eq!(counters["codes_issued"], 0, "{counters}");
    Ok(())
}
