//! Nobody is at the desk when the OTP arrives.

use anyhow::Result;
use vega_tests::{Counts, Desk, Upstox, until};

#[tokio::test]
async fn an_otp_that_nobody_types_ends_the_run_and_nothing_is_repeated() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "3s");
    upstox.human_at_the_desk(false).await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "otp_timeout", "{report:?}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 1,
            dialogs_opened: 1,
            ..Counts::default()
        }
    );
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}

/// No window, no terminal, no console: Vega knows that nobody could type the OTP, and asks for none.
#[tokio::test]
async fn without_a_window_and_without_a_terminal_no_otp_is_asked_for() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "3s");
    upstox.human_at_the_desk(false).await?;
    desk.set("VEGA__BROWSER__HEADLESS", "true");
    let ran = desk.vega(&["--yes"]).await?;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("nobody could answer"), "{ran:?}");
    assert_eq!(upstox.counts().await?, Counts::default());

    // A run that is open, and a resume that has a yes.
    desk.set("VEGA__BROWSER__HEADLESS", "false");
    assert_eq!(desk.vega(&["--yes"]).await?.code, Some(6));
    desk.end_cooldown().await?;
    desk.set("VEGA__BROWSER__HEADLESS", "true");
    let ran = desk.vega(&["resume", "--yes"]).await?;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("nobody could answer"), "{ran:?}");
    assert_eq!(upstox.count("otp_presses").await?, 1);
    Ok(())
}
