//! The human goes back in the window and forward again while it asks for the OTP.

use anyhow::Result;
use serde_json::json;
use vega_tests::{Counts, Desk, Terminal, Upstox, Window};

#[tokio::test]
async fn a_page_per_screen_goes_on_where_it_was() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;
    upstox.pages("layout", json!({ "layout": "multi_page" })).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    let asked = window.address().await?;
    // To the page of the mobile number, and to what was there before the dialog.
    window.back().await?;
    window.back().await?;
    terminal.wait_for("waiting for the OTP").await?;
    window.forward().await?;
    window.forward().await?;
    assert_eq!(window.address().await?, asked);
    terminal.wait_for("OTP for account default").await?;
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    window.end().await
}

/// The browser keeps a page that was left and shows it again as it was.
#[tokio::test]
async fn a_page_that_comes_back_whole_goes_on_where_it_was() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    let asked = window.address().await?;
    // To the empty page on which the window opened.
    window.back().await?;
    window.forward().await?;
    assert_eq!(window.address().await?, asked);
    let words = window.text().await?;
    let is_whole = words.contains("Verify your number");
    assert!(is_whole, "the browser has not kept the page: {words}");
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    window.end().await
}
