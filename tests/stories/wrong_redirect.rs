//! A redirect arrives whose state is not the one that was sent: whoever made it, its code is not used.

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Counts, Desk, Terminal, Upstox, Window};

#[rstest]
#[case::wrong("redirect_wrong_state")]
#[case::missing("redirect_without_state")]
#[tokio::test]
async fn a_redirect_that_is_not_ours_is_refused_and_said(#[case] kind: &str) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "5s");
    upstox
        .scenario(json!({ "scope": "all", "on": "page", "kind": kind, "times": 1 }))
        .await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(
        ran.stderr
            .contains("missing, wrong or old state arrived and was refused"),
        "{ran:?}"
    );
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "redirect_timeout", "{report:?}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    let refused = Counts {
        otp_presses: 1,
        dialogs_opened: 1,
        pin_entries: 1,
        ..Counts::default()
    };
    assert_eq!(upstox.counts().await?, refused, "its code was never sent");
    assert_eq!(upstox.count("codes_issued").await?, 1, "there was one to send");
    let audited = desk.audited("redirect_refused", "default", "PRIMARY")?;
    assert_eq!(audited, 1, "on record, and once although it stood there for long");

    // A faithful redirect is taken, also after that.
    desk.end_cooldown().await?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 2,
            dialogs_opened: 2,
            pin_entries: 2,
            ..Counts::of_a_good_run(1)
        }
    );
    Ok(())
}

#[tokio::test]
async fn the_right_one_is_taken_in_the_same_window_after_a_wrong_one() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    upstox
        .scenario(json!({ "scope": "all", "on": "page", "kind": "redirect_wrong_state", "times": 1 }))
        .await?;

    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("old state arrived and was refused").await?;
    assert_eq!(upstox.count("exchanges").await?, 0, "its code was not sent");
    // The human opens the link again; Upstox still knows who signed in and asks for the PIN only.
    let app = &upstox.seed().accounts[0].apps[0];
    let secrets = upstox.secrets().await?;
    let state = secrets["states"][0].as_str().context("the state")?;
    let link = format!(
        "{}/v2/login/authorization/dialog?response_type=code&client_id={}&redirect_uri={}&state={state}",
        upstox.base_url(),
        app.client_id,
        app.redirect_uri
    );
    window.open(&link).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(desk.audited("redirect_refused", "default", "PRIMARY")?, 1);

    assert_eq!(
        upstox.counts().await?,
        Counts {
            dialogs_opened: 2,
            pin_entries: 2,
            ..Counts::of_a_good_run(1)
        }
    );
    let codes = upstox.secrets().await?;
    let counters = upstox.counters().await?;
    let sent: Vec<_> = counters["exchanges_by_code"]
        .as_object()
        .context("codes")?
        .keys()
        .collect();
    assert_eq!(sent, [codes["codes"][1].as_str().context("the second code")?]);
    window.end().await
}
