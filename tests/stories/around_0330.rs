//! The night: sign-ins close at 03:20 IST, tokens die at 03:30, sign-ins open at 03:31.

use anyhow::{Context, Result};
use chrono::{DateTime, Days, TimeDelta, Utc};
use serde_json::Value;
use vega_tests::{Desk, Upstox};

/// Moves both clocks to a time of the coming night, in UTC: India's 03:25 is 21:55.
async fn it_is(utc: (u32, u32, u32), upstox: &Upstox, desk: &Desk) -> Result<()> {
    let now = upstox.machine_time().await?;
    let (hour, minute, second) = utc;
    let tonight = now.date_naive().checked_add_days(Days::new(1)).context("a day")?;
    let then: DateTime<Utc> = tonight
        .and_hms_opt(hour, minute, second)
        .context("a time")?
        .and_utc();
    let by: TimeDelta = then - now;
    upstox.move_clock(by).await?;
    desk.move_clock(by)
}

#[tokio::test]
async fn tokens_die_at_0330_and_nobody_signs_in_just_before() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;

    it_is((21, 52, 0), &upstox, &desk).await?;
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

    it_is((21, 59, 30), &upstox, &desk).await?;
    let last_minute = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(last_minute.code, Some(3), "{last_minute:?}");
    assert_eq!(upstox.profile_status(&token).await?, 200, "it still lives");

    it_is((22, 0, 1), &upstox, &desk).await?;
    let status = desk.status().await?;
    assert_eq!(status.api("PRIMARY")?["status"], "expired");
    assert_eq!(upstox.profile_status(&token).await?, 401);
    let closed = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(closed.code, Some(11), "{closed:?}");

    it_is((22, 31, 0), &upstox, &desk).await?;
    let ran = desk.vega(&["--yes", "PRIMARY", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.report()?;
    let api: &Value = report.api("PRIMARY")?;
    assert_eq!((&api["status"], &api["generation"]), (&"valid".into(), &2.into()));
    Ok(())
}
