//! Two accounts of three APIs each: one after the other, each in a browser session of its own, with one OTP each.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use vega_tests::{Desk, OwnBrowser, Ran, Terminal, Upstox, link_in, until};

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
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
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

/// Upstox refuses the first account's third press. The second account's tokens are made while it cools down.
#[tokio::test]
async fn a_throttled_account_does_not_hold_up_the_other_one() -> Result<()> {
    let upstox = Upstox::start_with_two_accounts().await?;
    let mut desk = Desk::new(&upstox)?;
    upstox.session_mode("otp").await?;
    upstox.otp_limit(2).await?;
    desk.set("VEGA__SIGN_IN__OTP_BUDGET", "9");
    desk.set("VEGA__SIGN_IN__COOLDOWN", "25s");
    let vega = desk.start(&["--yes", "--json"])?;
    let apps: Vec<&str> = upstox.apps().collect();
    let of_others = async || {
        let status = desk.status().await;
        status.is_ok_and(|status| {
            let valid = status.apis_with_status("valid");
            valid == [&apps[..2], &apps[3..]].concat()
        })
    };
    assert!(until(of_others).await, "{:?}", desk.status().await);
    let closed = desk.vega(&["cooldown", "--json"]).await?.json()?;
    assert_eq!(
        closed["closed"][0]["account"], "default",
        "it still cools down: {closed}"
    );
    upstox.otp_limit(9).await?;

    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.report()?.steps_in_state("done"), apps, "{ran:?}");
    let counters = upstox.counters().await?;
    assert_eq!(
        counters["otp_presses_by_mobile"],
        json!({ "9000000001": 4, "9000000002": 1 }),
        "{counters}"
    );
    Ok(())
}

#[tokio::test]
async fn each_account_goes_its_own_route() -> Result<()> {
    let upstox = Upstox::start_with_two_accounts().await?;
    let desk = Desk::new(&upstox)?;
    desk.set_route("default", "own-browser")?;
    let browser = OwnBrowser::at(&desk).await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let apps: Vec<&str> = upstox.apps().collect();

    let mut vega = desk.start_in_terminal(&["--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    for api in &apps[..3] {
        let link = format!("Sign in for {api} (account default)");
        terminal.wait_for(&link).await?;
        terminal.wait_for("address").await?;
        browser.go_to(&link_in(terminal.shown())?).await?;
        let received = format!("Vega has received the sign-in for {api}");
        browser.until_it_says(&received).await?;
    }
    terminal.wait_for("Get OTP pressed for account second").await?;
    for api in &apps[3..] {
        let stored = format!("{api:<14} token stored and verified");
        terminal.wait_for(&stored).await?;
    }
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    browser.end().await?;
    let shown = terminal.shown();
    assert!(!shown.contains("Get OTP pressed for account default"), "{shown}");
    assert!(!shown.contains("(account second) in any browser"), "{shown}");

    let counters = upstox.counters().await?;
    assert_eq!(
        counters["otp_presses_by_mobile"],
        json!({ "9000000001": 1, "9000000002": 1 }),
        "{counters}"
    );
    let seen = ["max_parallel_sign_ins", "browser_sessions_seen", "tokens_issued"];
    assert_eq!(
        seen.map(|name| counters[name].clone()),
        [1, 2, 6].map(|count| json!(count)),
        "{counters}"
    );
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    for account in 0..2 {
        assert_eq!(status["accounts"][account]["otp_presses_left"], 3, "{status}");
    }
    for api in apps {
        let token = desk.token(api).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{api}'s token works");
    }
    Ok(())
}
