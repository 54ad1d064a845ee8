//! What the second of six sign-ins asks for in a browser session that is logged in is Upstox's to decide.

use anyhow::{Context, Result};
use rstest::rstest;
use vega_tests::{Counts, Desk, Upstox};

#[rstest]
#[case::pin("pin", 6)]
#[case::none("none", 1)]
#[tokio::test]
async fn one_press_is_enough_where_the_session_spares_the_otp(
    #[case] mode: &str,
    #[case] pins: u64,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    // A redirect that is missed ends the story with a failure, not with its patience.
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "20s");
    upstox.session_mode(mode).await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.report()?.apis_with_status("valid").len(), 6, "{ran:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            pin_entries: pins,
            ..Counts::of_a_good_run(6)
        }
    );
    Ok(())
}

#[tokio::test]
async fn never_2_a_press_beyond_the_budget() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    upstox.session_mode("otp").await?;
    desk.set("VEGA__SIGN_IN__OTP_BUDGET", "2");
    desk.set("VEGA__SIGN_IN__OTP_WINDOW", "10m");

    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let report = ran.report()?;
    let apps: Vec<&str> = upstox.apps().collect();
    assert_eq!(report.steps_in_state("done"), apps[..2], "{report:?}");
    assert_eq!(report.reason(apps[2])?, "otp_budget", "{report:?}");
    assert_eq!(report.steps_in_state("pending"), apps[3..], "{report:?}");
    let counts = Counts {
        otp_presses: 2,
        dialogs_opened: 3,
        pin_entries: 2,
        tokens_issued: 2,
        max_exchanges_of_one_code: 1,
    };
    assert_eq!(upstox.counts().await?, counts, "a third press was never made");

    let retry_at = &ran.json()?["accounts"][0]["retry_at_unix"];
    let now = upstox.machine_time().await?.timestamp();
    let minutes = (retry_at.as_i64().context("retry_at_unix")? - now) / 60;
    assert!(
        (8..=10).contains(&minutes),
        "{retry_at} is {minutes} minutes from now"
    );

    let again = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(
        again.json()?["run"].is_null(),
        "no browser was opened for it: {again:?}"
    );
    assert_eq!(
        upstox.count("otp_presses").await?,
        2,
        "the budget is of the account, not of the run"
    );
    Ok(())
}
