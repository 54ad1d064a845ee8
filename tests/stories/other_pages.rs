//! Upstox's pages are slow, built otherwise, or ask for more than usual.

use std::time::Duration;

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use tokio::process::Child;
use vega_tests::{Counts, Desk, Terminal, Upstox};

/// The human types at the terminal, so that Vega has to find every screen and every button.
#[rstest]
#[case::one_slow_page("single", 5_000)]
#[case::a_page_per_screen("multi_page", 0)]
#[case::a_slow_page_per_screen("multi_page", 5_000)]
#[tokio::test]
async fn slow_pages_and_a_page_per_screen_take_one_press(
    #[case] layout: &str,
    #[case] slow_ms: u64,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    upstox.pages("layout", json!({ "layout": layout })).await?;
    upstox.pages("slow_page", json!({ "ms": slow_ms })).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "WEBSOCKET1", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    type_otp_and_pin(&upstox, &mut terminal).await?;
    terminal.wait_for("token stored and verified").await?;
    terminal.wait_for("PIN for account default (WEBSOCKET1)").await?;
    type_pin(&upstox, &mut terminal).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(2));
    Ok(())
}

async fn type_otp_and_pin(upstox: &Upstox, terminal: &mut Terminal) -> Result<()> {
    terminal.wait_for("OTP for account default").await?;
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    terminal.type_keys(&format!("{otp}\n")).await?;
    terminal.wait_for("PIN for account default").await?;
    type_pin(upstox, terminal).await
}

async fn type_pin(upstox: &Upstox, terminal: &mut Terminal) -> Result<()> {
    let pin = &upstox.seed().accounts[0].pin;
    terminal.type_keys(&format!("{pin}\n")).await
}

#[tokio::test]
async fn consent_is_the_humans_to_give() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let (mut vega, mut terminal) = up_to_consent(&upstox, &desk).await?;
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    Ok(())
}

#[tokio::test]
async fn consent_that_nobody_gives_is_waited_for_and_no_more() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "4s");
    let (mut vega, mut terminal) = up_to_consent(&upstox, &desk).await?;
    terminal.wait_for("failed").await?;
    assert_eq!(vega.wait().await?.code(), Some(6), "{}", terminal.shown());
    let status = desk.status().await?;
    assert_eq!(
        status.api("PRIMARY")?["last_failure"]["reason"],
        "redirect_timeout",
        "{status:?}"
    );
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 1,
            dialogs_opened: 1,
            pin_entries: 1,
            ..Counts::default()
        }
    );
    Ok(())
}

/// A sign-in whose human types at the terminal and does not look at the window, where consent is asked for.
async fn up_to_consent(upstox: &Upstox, desk: &Desk) -> Result<(Child, Terminal)> {
    upstox.human_at_the_desk(false).await?;
    upstox.pages("consent", json!({})).await?;
    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes", "--no-wait"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    type_otp_and_pin(upstox, &mut terminal).await?;
    terminal.wait_for("confirm it in the browser window").await?;
    Ok((vega, terminal))
}

#[tokio::test]
async fn a_page_with_other_ids_is_left_to_the_human_who_finishes_by_hand() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__OTP_BUDGET", "1");
    upstox.pages("layout", json!({ "layout": "changed" })).await?;
    // Longer at each screen than Vega waits before it says that it finds no "Get OTP" to press.
    upstox.human_does_everything(Duration::from_secs(18)).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("press Get OTP in the browser window").await?;
    assert_eq!(upstox.count("otp_presses").await?, 0, "Vega pressed nothing");
    // The box is told by its words where its id is new.
    terminal.wait_for("OTP for account default (PRIMARY)").await?;
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());

    assert!(
        !terminal.shown().contains("Get OTP pressed"),
        "the press was the human's: {}",
        terminal.shown()
    );
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    let token = desk.token("PRIMARY").await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);

    // An OTP was sent, whoever pressed: the budget of one is used up.
    upstox.no_scenarios().await?;
    upstox.log_out(&token).await?;
    let again = desk.vega(&["--yes", "--no-wait", "--json", "PRIMARY"]).await?;
    assert_eq!(again.code, Some(4), "{again:?}");
    let report = again.json()?;
    assert!(report["accounts"][0]["retry_at"].is_string(), "{report}");
    assert!(report["run"].is_null(), "nothing began: {report}");
    assert_eq!(upstox.count("otp_presses").await?, 1);
    Ok(())
}
