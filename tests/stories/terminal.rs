//! The operator sits at the terminal: says yes to the plan and types OTP and PIN there instead of in the window.

use anyhow::{Context, Result};
use vega_tests::{Desk, Terminal, Upstox, until};

#[tokio::test]
async fn otp_and_pin_can_be_typed_at_the_prompt_and_never_show() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let pin = upstox.seed().accounts[0].pin.clone();

    let mut vega = desk.start_in_terminal(&["PRIMARY", "WEBSOCKET1"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("Sign in for 2 APIs now?").await?;
    terminal.type_keys("y").await?;
    terminal.wait_for("OTP for account default (PRIMARY)").await?;
    terminal.wait_for_falling_time("OTP, ").await?;
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    terminal.type_keys(&format!("{otp}\n")).await?;
    terminal.wait_for("PIN for account default (PRIMARY)").await?;
    terminal.type_keys(&format!("{pin}\n")).await?;
    terminal.wait_for("PIN for account default (WEBSOCKET1)").await?;
    terminal.type_keys(&format!("{pin}\n")).await?;
    terminal.wait_for("valid").await?;
    let code = vega.wait().await?.code();
    assert_eq!(code, Some(0), "{}", terminal.shown());

    assert!(
        !terminal.shown().contains(&otp) && !terminal.shown().contains(&pin),
        "{}",
        terminal.shown()
    );
    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["otp_presses"], &counters["tokens_issued"]),
        (&1.into(), &2.into()),
        "{counters}"
    );
    Ok(())
}

#[tokio::test]
async fn an_open_prompt_is_taken_back_when_the_window_is_used() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    Ok(())
}

#[tokio::test]
async fn seed_2_3_operator_confirmation() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let mut vega = desk.start_in_terminal(&[])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("Sign in for 6 APIs now?").await?;
    terminal.type_keys("n").await?;
    terminal.wait_for("Nothing was done").await?;
    assert_eq!(vega.wait().await?.code(), Some(11), "{}", terminal.shown());
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}
