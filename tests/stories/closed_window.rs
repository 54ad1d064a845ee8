//! The human closes the window in the middle of a sign-in.

use anyhow::Result;
use vega_tests::{Counts, Desk, Ran, Upstox, Window, until};

#[tokio::test]
async fn a_closed_window_is_not_opened_again_and_nothing_is_left_running() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;

    let vega = desk.start(&["--yes", "--json"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    window.close().await?;
    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "browser_gone", "{report:?}");
    let (_, record) = report.evidence("PRIMARY")?;
    assert_eq!(record["screenshot_withheld"], "the browser is gone", "{record}");
    assert_eq!(record["elements"], serde_json::json!([]), "{record}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");

    assert_eq!(upstox.count("browser_sessions_seen").await?, 1);
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 1,
            dialogs_opened: 1,
            ..Counts::default()
        }
    );
    assert!(
        until(async || desk.processes() == ["chromedriver"]).await,
        "only the driver is the story's own: {:?}",
        desk.processes()
    );
    window.end().await?;
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}
