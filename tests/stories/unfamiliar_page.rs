//! Upstox has rebuilt its login page and Vega knows nothing on it: from the first box on it is the human's.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Counts, Desk, Terminal, Upstox, Window};

async fn rebuilt() -> Result<Upstox> {
    let upstox = Upstox::start().await?;
    upstox.pages("layout", json!({ "layout": "unfamiliar" })).await?;
    upstox.human_at_the_desk(false).await?;
    Ok(upstox)
}

#[tokio::test]
async fn the_human_does_everything_and_the_token_arrives() -> Result<()> {
    let upstox = rebuilt().await?;
    upstox.pages("consent", json!({})).await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("This page is not known to Vega").await?;
    terminal
        .wait_for_falling_time("PRIMARY: finish the sign-in in the browser window, ")
        .await?;
    assert_eq!(window.typed_in("who").await?, "", "Vega typed nothing");
    let only_opened = Counts {
        dialogs_opened: 1,
        ..Counts::default()
    };
    assert_eq!(upstox.counts().await?, only_opened, "Vega pressed nothing");

    upstox.human_does_everything(Duration::from_millis(500)).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    for of_a_known_page in ["Get OTP", "OTP for account", "PIN for account", "consent"] {
        assert!(
            !terminal.shown().contains(of_a_known_page),
            "{}",
            terminal.shown()
        );
    }
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(1));
    let token = desk.token("PRIMARY").await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);

    // Vega knows neither the button nor the screen behind it: it did not see this press and cannot count it.
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(status["accounts"][0]["otp_presses_left"], 4, "{status}");
    window.end().await
}

#[tokio::test]
async fn nobody_is_there_and_the_evidence_tells_what_the_page_is_made_of() -> Result<()> {
    let upstox = rebuilt().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "5s");

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "page_changed", "{report:?}");
    assert_eq!(report.steps_in_state("pending").len(), 5, "{report:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            dialogs_opened: 1,
            ..Counts::default()
        }
    );

    let (_, record) = desk.status().await?.evidence("PRIMARY")?;
    let told = ["reason", "screen"].map(|field| &record[field]);
    assert_eq!(told, ["page_changed", "unknown"], "{record}");
    let elements = record["elements"].as_array().context("elements")?;
    for (tag, id) in [("input", "who"), ("button", "reach-me")] {
        let element = json!({ "tag": tag, "id": id });
        assert!(elements.contains(&element), "{record}");
    }
    let picture = record["screenshot"].as_str().context("a picture")?;
    assert!(desk.evidence().join(picture).is_file(), "nothing is typed on it");
    Ok(())
}
