//! What ends the wait for a change of the page, and what does not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, timeout};

use crate::browser::Browser;
use crate::documents::{OTP, mobile};

/// Longer than a slow machine needs for a change that comes.
const AT_LAST: Duration = Duration::from_secs(15);
/// What no change should take.
const NEVER: Duration = Duration::from_secs(25);

/// What each does to the page, a little later.
const CHANGES: &[(&str, &str)] = &[
    ("words", "document.querySelector('h1').textContent = 'Sign in'"),
    ("an element", "document.body.append(document.createElement('p'))"),
    (
        "a screen that is shown",
        "document.querySelector('form').style.display = 'none'",
    ),
    (
        "a button that wakes up",
        "document.getElementById('getOtp').disabled = false",
    ),
    (
        "a box that is typed into",
        "document.getElementById('mobileNum').dispatchEvent(new Event('input', {bubbles: true}))",
    ),
    ("a new document", "location = 'about:blank'"),
];

#[tokio::test]
async fn a_change_ends_the_wait_and_nothing_else_before_its_time() -> Result<()> {
    let browser = Browser::start().await?;
    for (what, change) in CHANGES {
        browser.show("text/html", &mobile("", "disabled", "")).await?;
        browser.look().await?;
        let began = Instant::now();
        let short = Duration::from_millis(400);
        browser.page().change(short).await?;
        ensure!(began.elapsed() >= short, "nothing changed before {what}");

        browser
            .run(&format!("setTimeout(() => {{ {change} }}, 300)"))
            .await?;
        // A document that goes away ends it with an error.
        let ended = timeout(AT_LAST, browser.page().change(NEVER)).await;
        ensure!(ended.is_ok(), "{what} did not end the wait");
    }
    Ok(())
}

/// Between the look and the wait, or where nobody has looked yet.
#[tokio::test]
async fn what_came_before_the_wait_is_not_waited_for() -> Result<()> {
    let browser = Browser::start().await?;
    browser.show("text/html", OTP).await?;
    browser.look().await?;
    browser
        .run("document.querySelector('h1').textContent = 'Again'")
        .await?;
    for case in ["a change", "no look"] {
        timeout(AT_LAST, browser.page().change(NEVER))
            .await
            .context(case)??;
        browser.show("text/html", OTP).await?;
    }
    Ok(())
}
