//! The audit trail tells a morning in order, and tells when somebody changed it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use vega_tests::{Desk, Upstox};

fn database(desk: &Desk) -> PathBuf {
    desk.path().join("data/vega/vega_trade.db")
}

/// What `vega audit` tells, as words: kind, API and detail.
async fn told(desk: &Desk, arguments: &[&str]) -> Result<Vec<String>> {
    let ran = desk.vega(&[&["audit", "--json"], arguments].concat()).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json()?;
    let entries = report["entries"].as_array().context("entries")?;
    let words = |entry: &Value| {
        let word = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", word("kind"), word("api"), word("detail"))
    };
    Ok(entries.iter().map(words).collect())
}

/// What `vega audit --verify` found, if anything.
async fn fault(desk: &Desk, arguments: &[&str]) -> Result<Option<String>> {
    let verify = ["audit", "--verify", "--json"];
    let ran = desk.vega(&[&verify[..], arguments].concat()).await?;
    let report = ran.json()?;
    let fault = report["fault"]["kind"].as_str().map(str::to_owned);
    let expected = if fault.is_some() { 9 } else { 0 };
    assert_eq!(ran.code, Some(expected), "{ran:?}");
    assert_eq!(report["intact"], fault.is_none(), "{report}");
    Ok(fault)
}

/// The first run of a morning: Upstox throttles its sign-in.
async fn throttled(upstox: &Upstox, desk: &Desk) -> Result<()> {
    upstox.otp_limit(0).await?;
    let ran = desk.vega(&["--yes", "--no-wait"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    Ok(())
}

/// The next one: the operator has ended the cooldown, and Upstox takes the sign-in.
async fn signed_in(upstox: &Upstox, desk: &Desk) -> Result<()> {
    desk.end_cooldown().await?;
    upstox.otp_limit(9).await?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn seed_2_1_audit_trail_of_a_whole_morning() -> Result<()> {
    const ABOUT_PRIMARY: &[&str] = &[
        "step_changed PRIMARY signing_in",
        "attempt_opened PRIMARY for generation 1",
        "otp_requested PRIMARY 3 left",
        "attempt_closed PRIMARY throttled: ",
        "step_changed PRIMARY failed: throttled: You have exceeded",
        "step_changed PRIMARY signing_in",
        "attempt_opened PRIMARY for generation 1",
        "otp_requested PRIMARY 2 left",
        "step_changed PRIMARY exchanging",
        "exchange_intended PRIMARY code ",
        "answer_received PRIMARY HTTP 200; answer ",
        "step_changed PRIMARY verifying",
        "token_stored PRIMARY generation 1, verified; token ",
        "step_changed PRIMARY done",
    ];
    const ABOUT_ALL: &[(usize, &str)] = &[
        (0, "preflight_passed - PRIMARY, WEBSOCKET1, "),
        (1, "plan_confirmed - PRIMARY, WEBSOCKET1, "),
        (2, "run_started - PRIMARY (missing), "),
        (3, "run_moved - running: "),
        (8, "cooldown_begun - throttled: "),
        (10, "run_ended - incomplete: 0 of 6"),
        (11, "account_opened - cleared by the operator: nobody waits"),
        (12, "preflight_passed - PRIMARY"),
        (13, "plan_confirmed - PRIMARY"),
        (14, "run_taken_up - 0 of 6 steps were settled; PRIMARY (missing)"),
        (24, "run_ended - incomplete: 1 of 6"),
    ];
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    throttled(&upstox, &desk).await?;
    signed_in(&upstox, &desk).await?;

    let all = told(&desk, &[]).await?;
    let mut of_primary = ABOUT_PRIMARY.iter();
    for (place, words) in all.iter().enumerate() {
        let of_all = ABOUT_ALL.iter().find(|(at, _)| *at == place);
        let expected = of_all.map(|(_, words)| words).or_else(|| of_primary.next());
        let expected = expected.with_context(|| format!("too much is told: {all:#?}"))?;
        assert!(words.starts_with(expected), "{place}: {expected} in {all:#?}");
    }
    assert_eq!(all.len(), ABOUT_ALL.len() + ABOUT_PRIMARY.len(), "{all:#?}");
    let about = told(&desk, &["--api", "PRIMARY", "--since", "1h"]).await?;
    assert_eq!(about.len(), ABOUT_PRIMARY.len(), "{about:#?}");

    let ran = desk.vega(&["audit", "--verify"]).await?;
    let intact = "The audit trail is intact: 25 entries, 2 checkpoints checked.\n";
    assert_eq!((ran.code, &*ran.stdout), (Some(0), intact), "{ran:?}");

    // The token that was stored is the one that is asked about now.
    let token = |words: &str| words.rsplit_once("; token ").map(|(_, token)| token.to_owned());
    let verified = desk.vega(&["verify", "PRIMARY"]).await?;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let about = told(&desk, &["--api", "PRIMARY"]).await?;
    let stored = about.iter().find(|words| words.starts_with("token_stored"));
    let checked = about.last().filter(|words| words.starts_with("token_checked"));
    let [stored, checked] = [stored, checked].map(|words| words.and_then(|words| token(words)));
    assert!(stored.is_some() && stored == checked, "{about:#?}");
    Ok(())
}

#[tokio::test]
async fn a_changed_byte_and_a_cut_end_are_found() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    throttled(&upstox, &desk).await?;
    let before = std::fs::read(database(&desk))?;
    signed_in(&upstox, &desk).await?;
    let whole = std::fs::read(database(&desk))?;
    assert_eq!(fault(&desk, &[]).await?, None);

    // Who presses too often wants to have pressed less often: "3 left" becomes "4 left".
    let words = b"3 left in this window";
    let mut changed = whole.clone();
    let place = changed.windows(words.len()).rposition(|part| part == words);
    changed[place.context("the press")?] = b'4';
    std::fs::write(database(&desk), changed)?;
    assert_eq!(fault(&desk, &[]).await?.as_deref(), Some("edited"));

    // The whole second run never happened: the database of before, which fits in itself.
    std::fs::write(database(&desk), before)?;
    assert_eq!(fault(&desk, &[]).await?.as_deref(), Some("cut"));
    let checkpoints = desk.path().join("config/vega/vega.checkpoints");
    let copy = desk.path().join("copy");
    std::fs::rename(&checkpoints, &copy)?;
    assert_eq!(fault(&desk, &[]).await?, None, "nothing but a checkpoint tells");
    let copy = copy.to_str().context("a path")?;
    let found = fault(&desk, &["--checkpoints", copy]).await?;
    assert_eq!(found.as_deref(), Some("cut"));

    std::fs::write(database(&desk), whole)?;
    assert_eq!(fault(&desk, &["--checkpoints", copy]).await?, None);
    Ok(())
}
