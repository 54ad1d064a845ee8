//! The page asks for a sign of a human before it lets anybody press Get OTP. That box is the human's, and the page is told
//! that a program drives its browser.

use anyhow::Result;
use serde_json::json;
use vega_tests::{Counts, Desk, Terminal, Upstox, Window};

/// How the terminal shows what is to be done, before the time left.
const TASK: &str = "PRIMARY: solve the challenge in the browser window, ";

#[tokio::test]
async fn never_9_a_captcha_touched_or_the_automation_hidden() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;
    upstox.pages("challenge", json!({})).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("solve it in the browser window").await?;
    terminal.wait_for_falling_time(TASK).await?;
    assert_eq!(upstox.count("otp_presses").await?, 0, "nobody could press yet");
    assert_eq!(ticks(&upstox).await?, [0, 0]);
    let marks = window.automation_marks().await?;
    assert_eq!(marks["webdriver"], true, "{marks}");
    let name = marks["user_agent"].as_str().unwrap_or_default();
    assert!(
        name.contains("HeadlessChrome"),
        "the name that it has by itself: {name}"
    );
    upstox.human_at_the_desk(true).await?;
    terminal.wait_for("Get OTP pressed").await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    let solved = terminal.shown().split("Get OTP pressed").nth(1);
    assert!(
        solved.is_some_and(|after| !after.contains(TASK)),
        "a task that is done is shown no more: {}",
        terminal.shown()
    );
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    assert_eq!(ticks(&upstox).await?, [1, 1], "ticked once, by the human");
    window.end().await
}

/// How often the box was ticked, and how often by the human.
async fn ticks(upstox: &Upstox) -> Result<[u64; 2]> {
    let by_anybody = upstox.count("challenges_ticked").await?;
    Ok([by_anybody, upstox.count("challenges_ticked_by_human").await?])
}

#[tokio::test]
async fn seed_2_1_no_captcha_bypass() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "3s");
    upstox.human_at_the_desk(false).await?;
    upstox.pages("challenge", json!({})).await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");
    assert!(
        ran.stderr.contains("solve it in the browser window"),
        "the human was told: {ran:?}"
    );
    assert!(
        !ran.stderr.contains(TASK),
        "nothing counts down in a log: {ran:?}"
    );
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "challenge", "{report:?}");
    assert_eq!(report.steps_in_state("pending").len(), 5, "{report:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            dialogs_opened: 1,
            ..Counts::default()
        }
    );
    assert_eq!(ticks(&upstox).await?, [0, 0]);
    Ok(())
}
