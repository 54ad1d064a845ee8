//! Upstox does not answer. At the verification that says nothing about the tokens, so nothing is signed in for. At a sign-in
//! it is tried again while no OTP was asked for.

use anyhow::Result;
use rstest::rstest;
use serde_json::{Value, json};
use vega_tests::{Counts, Desk, Terminal, Upstox};

#[tokio::test]
async fn an_outage_leads_to_no_sign_in_and_takes_no_token_away() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes"]).await?.code, Some(0));
    let counters = async || -> Result<Value> {
        let mut counters = upstox.counters().await?;
        for asked in ["profile_calls", "max_profile_calls_in_flight"] {
            counters[asked] = Value::Null;
        }
        Ok(counters)
    };
    let before = counters().await?;

    for (kind, params, words) in [
        (
            "status",
            json!({ "status": 500 }),
            "Upstox does not work at the moment",
        ),
        ("reset_before", json!({}), "Upstox could not be reached"),
        ("rate_limited", json!({}), "Upstox throttled"),
    ] {
        upstox
            .scenario(json!({ "scope": "all", "on": "profile", "kind": kind, "params": params }))
            .await?;
        let asked = upstox.count("profile_calls").await?;
        let ran = desk.vega(&["--yes"]).await?;
        assert_eq!(ran.code, Some(5), "{kind}: {ran:?}");
        assert!(ran.stderr.contains(words), "{kind}: {ran:?}");
        assert_eq!(
            upstox.count("profile_calls").await? - asked,
            6,
            "{kind}: each token was asked about once"
        );
        upstox.no_scenarios().await?;

        assert_eq!(counters().await?, before, "{kind}: nothing was signed in for");
        for api in upstox.apps() {
            let token = desk.token(api).await?;
            assert_eq!(
                upstox.profile_status(&token).await?,
                200,
                "{kind}: {api}'s token is served as before"
            );
        }
    }
    Ok(())
}

/// Down when the sign-in opens its dialog, and back before the second one.
#[rstest]
#[case::answers_with_faults("status", json!({ "status": 500 }), "Upstox does not work at the moment")]
#[case::cannot_be_reached("reset_before", json!({}), "Upstox could not be reached")]
#[tokio::test]
async fn a_sign_in_comes_through_when_upstox_is_back(
    #[case] kind: &str,
    #[case] params: Value,
    #[case] why: &str,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox
        .scenario(json!({ "scope": "all", "on": "dialog", "kind": kind, "params": params }))
        .await?;
    let mut vega = desk.start_in_terminal(&["--yes", "PRIMARY", "WEBSOCKET1"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    let told = format!("PRIMARY: {why}, and no OTP was asked for: Vega tries again in 5 seconds.");
    terminal.wait_for(&told).await?;
    upstox.no_scenarios().await?;
    terminal
        .wait_for("WEBSOCKET1     token stored and verified")
        .await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    // Beyond a good run there is nothing, not even a dialog: none was accepted while Upstox was down.
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(2));
    Ok(())
}

#[tokio::test]
async fn a_sign_in_that_never_reaches_upstox_presses_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox
        .scenario(json!({ "scope": "all", "on": "dialog", "kind": "status", "params": { "status": 503 } }))
        .await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    for pause in [5, 20] {
        let told = format!("tries again in {pause} seconds");
        assert_eq!(ran.stderr.matches(&told).count(), 1, "{ran:?}");
    }
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "broker_down", "{report:?}");
    assert_eq!(report.steps_in_state("pending").len(), 5, "{report:?}");
    assert_eq!(upstox.counts().await?, Counts::default());
    Ok(())
}
