//! Upstox does not answer the verification: that says nothing about the tokens, so nothing is signed in for.

use anyhow::Result;
use serde_json::{Value, json};
use vega_tests::{Desk, Upstox};

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
