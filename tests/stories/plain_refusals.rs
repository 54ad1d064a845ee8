//! The page refuses the OTP or the PIN in other ways than by an alert: in a plain paragraph, in a new document, without a
//! word; in a frame, in a shadow tree, in a new tab. Vega sees it within seconds and stops the account.

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Counts, Desk, Terminal, Upstox};

const PLAIN: &str = "Incorrect PIN. You have 4 attempts left.";
const WORDLESS: &str = "without a word";

#[rstest]
#[case::plain_words("wrong_pin", "words", "window", PLAIN)]
#[case::a_new_document("wrong_pin", "document", "window", PLAIN)]
#[case::not_a_word("wrong_pin", "silence", "window", WORDLESS)]
#[case::a_new_document_without_a_word("wrong_pin", "silent_document", "window", WORDLESS)]
#[case::in_a_frame("wrong_pin", "document", "frame", PLAIN)]
#[case::in_a_tab("wrong_pin", "words", "tab", PLAIN)]
#[case::in_a_shadow_tree("wrong_pin", "words", "shadow", PLAIN)]
#[case::an_otp(
    "wrong_otp",
    "document",
    "window",
    "Incorrect OTP or TOTP. You have 4 attempts left."
)]
#[case::an_otp_without_a_word("wrong_otp", "silence", "window", WORDLESS)]
#[tokio::test]
async fn never_4_a_refusal_stops_the_account_whatever_it_looks_like(
    #[case] what: &str,
    #[case] style: &str,
    #[case] container: &str,
    #[case] words: &str,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    upstox.pages("refusal_style", json!({ "style": style })).await?;
    upstox
        .pages("container", json!({ "container": container }))
        .await?;
    upstox.human_mistypes(what).await?;
    let ran = desk.vega(&["PRIMARY", "--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let report = ran.report()?;
    let reason = what.replace("wrong_", "") + "_refused";
    let step = report.step("PRIMARY")?;
    assert_eq!(step["reason"], reason, "{step}");
    let detail = step["detail"].as_str().context("a detail")?;
    assert!(detail.contains(words), "{detail}");

    let before = upstox.counters().await?;
    assert_eq!(before[what], 1, "{before}");
    assert_eq!(before["codes_issued"], 0, "no second entry: {before}");
    let next = desk.vega(&["PRIMARY", "--yes"]).await?;
    assert_eq!(next.code, Some(7), "{next:?}");
    assert_eq!(upstox.counters().await?, before, "nothing was started");
    Ok(())
}

#[rstest]
#[case::in_a_toast("toast")]
#[case::in_plain_words("words")]
#[case::in_a_new_document("document")]
#[tokio::test]
async fn in_a_window_the_human_corrects_it_and_the_token_arrives(#[case] style: &str) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.pages("refusal_style", json!({ "style": style })).await?;
    upstox.human_mistypes_and_corrects("wrong_pin").await?;
    let ran = desk.vega(&["PRIMARY", "--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("Upstox refused the PIN") && ran.stderr.contains("Vega submits nothing more"),
        "{ran:?}"
    );
    assert_eq!(
        upstox.counts().await?,
        Counts {
            pin_entries: 2,
            ..Counts::of_a_good_run(1)
        }
    );
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert!(status["accounts"][0]["stop"].is_null(), "{status}");
    Ok(())
}

#[tokio::test]
async fn in_a_window_a_refusal_that_nobody_corrects_stops_the_account_at_the_deadline() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    upstox
        .pages("refusal_style", json!({ "style": "document" }))
        .await?;
    upstox.human_at_the_desk(false).await?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("OTP for account default").await?;
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    terminal.type_keys(&format!("{otp}\n")).await?;
    terminal.wait_for("PIN for account default").await?;
    terminal.type_keys("000000\n").await?;
    terminal.wait_for("Vega submits nothing more").await?;
    terminal.wait_for("failed").await?;
    assert_eq!(vega.wait().await?.code(), Some(7), "{}", terminal.shown());
    assert_eq!(upstox.count("pin_entries").await?, 1);
    let status = desk.status().await?;
    assert_eq!(
        status.api("PRIMARY")?["last_failure"]["reason"],
        "pin_refused",
        "{status:?}"
    );
    Ok(())
}
