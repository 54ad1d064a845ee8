//! The human reloads the page, or leaves it and opens it anew, while it asks for the OTP. The page then begins anew, and a second press of Get OTP is the
//! human's to make.

use std::time::Duration;

use anyhow::Result;
use rstest::rstest;
use vega_tests::{Counts, Desk, Terminal, Upstox, Window};

const PRESSED_BEFORE: &str = "Vega presses Get OTP once only";

#[rstest]
#[case::reloaded(false)]
#[case::left_and_opened_anew(true)]
#[tokio::test]
async fn the_human_goes_on_by_hand(#[case] is_left: bool) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    if is_left {
        let asked = window.address().await?;
        window.open("about:blank").await?;
        window.open(&asked).await?;
    } else {
        window.reload().await?;
    }
    terminal.wait_for(PRESSED_BEFORE).await?;
    terminal
        .wait_for_falling_time("PRIMARY: go on in the browser window, ")
        .await?;
    assert_eq!(upstox.count("otp_presses").await?, 1, "{}", terminal.shown());

    upstox.human_does_everything(Duration::from_millis(100)).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 2,
            ..Counts::of_a_good_run(1)
        },
        "the second press was the human's"
    );
    window.end().await
}

#[tokio::test]
async fn never_2_a_second_press_in_one_attempt() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "4s");

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes", "--no-wait"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    window.reload().await?;
    terminal.wait_for(PRESSED_BEFORE).await?;
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
            ..Counts::default()
        }
    );
    window.end().await
}
