//! This computer's clock is wrong. Tokens live by the clock, so the operator hears of it, and far off nothing is begun.

use anyhow::Result;
use chrono::TimeDelta;
use vega_tests::{Desk, Upstox};

#[tokio::test]
async fn a_clock_that_is_far_off_keeps_the_browser_shut() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    desk.move_clock(TimeDelta::hours(-2))?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(9), "{ran:?}");
    assert!(
        ran.stderr.contains("behind Upstox's") && ran.stderr.contains("Set it right"),
        "{ran:?}"
    );
    assert_eq!(
        ran.stderr.matches("Upstox's").count(),
        1,
        "it is told once: {ran:?}"
    );
    assert_eq!(ran.report()?.apis_with_status("missing").len(), 6);
    assert_eq!(upstox.count("dialogs_opened").await?, 0);

    desk.move_clock(TimeDelta::zero())?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    desk.move_clock(TimeDelta::hours(-2))?;
    let checked = desk.vega(&["verify", "PRIMARY"]).await?;
    assert_eq!(
        checked.code,
        Some(0),
        "the token is as good as before: {checked:?}"
    );
    assert!(checked.stderr.contains("behind Upstox's"), "{checked:?}");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_a_little_off_is_said_and_the_run_goes_on() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    desk.move_clock(TimeDelta::minutes(2))?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("ahead of Upstox's"), "{ran:?}");
    Ok(())
}
