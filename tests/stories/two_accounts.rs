//! Two accounts of three APIs each: one after the other, each in a browser session of its own, with one OTP each.

use anyhow::Result;
use serde_json::json;
use vega_tests::{Desk, Upstox};

#[tokio::test]
async fn two_accounts_take_turns_with_one_otp_each() -> Result<()> {
    let upstox = Upstox::start_with_two_accounts().await?;
    let desk = Desk::new(&upstox)?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.report()?;
    let apps: Vec<&str> = upstox.apps().collect();
    assert_eq!(report.steps_in_state("done"), apps, "{report:?}");

    let counters = upstox.counters().await?;
    assert_eq!(
        counters["otp_presses_by_mobile"],
        json!({ "9000000001": 1, "9000000002": 1 }),
        "{counters}"
    );
    assert_eq!(
        (
            &counters["max_parallel_sign_ins"],
            &counters["browser_sessions_seen"]
        ),
        (&1.into(), &2.into()),
        "never two sign-ins at once, and no session shared: {counters}"
    );
    assert_eq!(counters["tokens_issued"], 6, "{counters}");
    for api in apps {
        let token = desk.token(api).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{api}'s token works");
    }
    Ok(())
}

#[tokio::test]
async fn a_stopped_account_does_not_hold_up_the_other_one() -> Result<()> {
    let upstox = Upstox::start_with_two_accounts().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_mistypes("wrong_pin").await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let report = ran.report()?;
    let apps: Vec<&str> = upstox.apps().collect();
    assert_eq!(report.steps_in_state("failed"), apps[..1], "{report:?}");
    assert_eq!(report.steps_in_state("pending"), apps[1..3], "{report:?}");
    assert_eq!(report.apis_with_status("valid"), apps[3..], "{report:?}");

    let before = upstox.counters().await?;
    let again = desk.vega(&["--yes"]).await?;
    assert_eq!(again.code, Some(7), "{again:?}");
    let after = upstox.counters().await?;
    for unchanged in ["dialogs_opened", "otp_presses"] {
        assert_eq!(after[unchanged], before[unchanged], "{unchanged}: {after}");
    }
    Ok(())
}
