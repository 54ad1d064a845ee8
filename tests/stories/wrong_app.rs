//! An app is not configured as it is registered at Upstox: a wrong client secret, a wrong redirect URI.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use vega_tests::{Desk, Upstox};

#[tokio::test]
async fn seed_2_3_clear_feedback_on_success_and_failure() -> Result<()> {
    const WRONG: &str = "wr0ngs3cr3t";
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("UPSTOX_CLIENT_SECRET_3", WRONG);
    // Whatever is logged, no secret is.
    desk.set("RUST_LOG", "trace");

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.steps_in_state("failed"), ["WEBSOCKET3"], "{report:?}");
    let step = report.step("WEBSOCKET3")?;
    assert_eq!(step["reason"], "client_rejected", "{step}");
    let detail = step["detail"].as_str().context("a detail")?;
    assert!(
        detail.contains("UDAPI100069") && detail.contains("'client_secret'"),
        "Upstox's code and words: {detail}"
    );
    assert_eq!(report.apis_with_status("valid").len(), 5, "{report:?}");
    assert_eq!(report.apis_with_status("missing"), ["WEBSOCKET3"], "{report:?}");

    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["exchanges"], &counters["max_exchanges_of_one_code"]),
        (&6.into(), &1.into()),
        "no code was sent twice: {counters}"
    );
    assert_eq!(counters["tokens_issued"], 5, "{counters}");

    assert!(
        ran.stderr.contains("TRACE"),
        "the log is not there to be looked at"
    );
    let apps = &upstox.seed().accounts[0].apps;
    for secret in apps.iter().map(|app| app.client_secret.as_str()).chain([WRONG]) {
        assert!(!ran.stdout.contains(secret), "a client secret is in the data");
        assert!(!ran.stderr.contains(secret), "a client secret is in the messages");
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_redirect_uri_is_named_at_once_and_costs_no_otp() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set(
        "UPSTOX_REDIRECT_URI",
        "http://localhost:28021/api/v1/auth/upstox/callback",
    );
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "5m");

    // A wait for the human, or for an answer to Get OTP, would take longer than this for six APIs.
    let limit = Duration::from_mins(3);
    let ran = tokio::time::timeout(limit, desk.vega(&["--yes", "--json"]))
        .await
        .context("it waits for something")??;
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let report = ran.report()?;
    for api in upstox.apps() {
        let step = report.step(api)?;
        assert_eq!(
            (&step["state"], &step["reason"]),
            (&"failed".into(), &"client_rejected".into()),
            "{step}"
        );
        let detail = step["detail"].as_str().context("a detail")?;
        assert!(
            detail.contains("UDAPI100068") && detail.contains("'redirect_uri'"),
            "Upstox's code and words: {detail}"
        );
        let next = &report.api(api)?["last_failure"]["next"];
        assert!(
            next.as_str().is_some_and(|next| next.contains("redirect URI")),
            "{next}"
        );
    }
    let counters = upstox.counters().await?;
    for none in ["otp_presses", "dialogs_opened", "codes_issued", "exchanges"] {
        assert_eq!(counters[none], Value::from(0), "{none}: {counters}");
    }
    Ok(())
}
