//! The night: sign-ins close at 03:20 IST, tokens die at 03:30, sign-ins open at 03:31.

use anyhow::Result;
use serde_json::Value;
use vega_tests::{Desk, Upstox, it_is};

#[tokio::test]
async fn tokens_die_at_0330_and_nobody_signs_in_just_before() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;

    it_is(1, (21, 52, 0), &upstox, &desk).await?;
    let ran = desk.vega(&["--yes", "PRIMARY", "--json"]).await?;
    assert_eq!(ran.code, Some(11), "{ran:?}");
    assert!(ran.stderr.contains("closed until 03:31 IST"), "{ran:?}");
    assert_eq!(upstox.count("dialogs_opened").await?, 0);

    let force = [
        "--yes",
        "PRIMARY",
        "--force",
        "--reason",
        "the night's backtest",
        "--json",
    ];
    let ran = desk.vega(&force).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let token = desk.token("PRIMARY").await?;

    it_is(1, (21, 59, 30), &upstox, &desk).await?;
    let last_minute = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(last_minute.code, Some(3), "{last_minute:?}");
    assert!(
        last_minute.stderr.contains("from 03:31 IST on"),
        "{last_minute:?}"
    );
    assert_eq!(upstox.profile_status(&token).await?, 200, "it still lives");

    it_is(1, (22, 0, 1), &upstox, &desk).await?;
    let status = desk.status().await?;
    assert_eq!(status.api("PRIMARY")?["status"], "expired");
    assert_eq!(upstox.profile_status(&token).await?, 401);
    let closed = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(closed.code, Some(11), "{closed:?}");

    it_is(1, (22, 31, 0), &upstox, &desk).await?;
    let ran = desk.vega(&["--yes", "PRIMARY", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.report()?;
    let api: &Value = report.api("PRIMARY")?;
    assert_eq!((&api["status"], &api["generation"]), (&"valid".into(), &2.into()));
    Ok(())
}
