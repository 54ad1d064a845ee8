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
