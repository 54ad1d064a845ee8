//! The human mistypes: the page refuses the OTP or the PIN. A second wrong entry brings the account nearer to its lock,
//! so Vega submits nothing more, and where nobody corrects it in the window in time, it stops the account.

use anyhow::{Context, Result};
use vega_tests::{Desk, Terminal, Upstox, until};

#[tokio::test]
async fn seed_2_2_never_4_a_refused_pin_is_not_retried() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    mistype(&upstox, &desk, "wrong_pin", "pin_refused", "Incorrect PIN").await?;
    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["wrong_pin"], &counters["pin_entries"]),
        (&1.into(), &2.into()),
        "one wrong PIN, and the right one after the operator's yes: {counters}"
    );
    assert_eq!(counters["wrong_otp"], 0, "{counters}");
    Ok(())
}

#[tokio::test]
async fn seed_2_2_never_4_a_refused_otp_is_not_retried() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    mistype(&upstox, &desk, "wrong_otp", "otp_refused", "Incorrect OTP").await?;
    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["wrong_otp"], &counters["pin_entries"]),
        (&1.into(), &1.into()),
        "one wrong OTP; the PIN is of the sign-in after the operator's yes: {counters}"
    );
    Ok(())
}

/// A run in which the human mistypes once, and the next `vega`, which must not go on by itself.
async fn mistype(upstox: &Upstox, desk: &Desk, what: &str, reason: &str, words: &str) -> Result<()> {
    upstox.human_mistypes(what).await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let report = ran.report()?;
    let step = report.step("PRIMARY")?;
    assert_eq!(
        (&step["state"], &step["reason"]),
        (&"failed".into(), &reason.into()),
        "{step}"
    );
    let detail = step["detail"].as_str().context("a detail")?;
    assert!(detail.contains(words), "the page's words: {detail}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    assert_eq!(report.apis_with_status("missing").len(), 6, "{report:?}");
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );

    let before = upstox.counters().await?;
    assert_eq!(
        (&before["otp_presses"], &before["dialogs_opened"]),
        (&1.into(), &1.into()),
        "{before}"
    );
    assert_eq!(before["codes_issued"], 0, "{before}");
    let entries = u64::from(what == "wrong_pin");
    assert_eq!(before["pin_entries"], entries, "no second entry: {before}");

    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(
        status["accounts"][0]["stop"]["failure"]["reason"], reason,
        "{status}"
    );
    for arguments in [&[][..], &["--yes"]] {
        let next = desk.vega(arguments).await?;
        assert_eq!(next.code, Some(7), "{next:?}");
        assert!(
            next.stderr.contains("Account default has been stopped since"),
            "{next:?}"
        );
        assert!(next.stderr.contains(words), "the page's words: {next:?}");
        assert!(
            !next.stderr.contains("cut off"),
            "the attempt was closed in its own run: {next:?}"
        );
    }
    assert_eq!(upstox.counters().await?, before, "nothing was started");

    upstox.human_at_the_desk(true).await?;
    let mut vega = desk.start_in_terminal(&["PRIMARY"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal
        .wait_for("Account default has been stopped since")
        .await?;
    terminal
        .wait_for("Go on with 1 API and open what is stopped now?")
        .await?;
    terminal.type_keys("y").await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert!(status["accounts"][0]["stop"].is_null(), "{status}");
    Ok(())
}
