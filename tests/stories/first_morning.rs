//! The first morning: six APIs without a token.

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::{Value, json};
use vega_tests::{Desk, Engine, Upstox, until};

#[rstest]
#[tokio::test]
async fn seed_2_1_no_otp_abuse_six_tokens_with_one_press_in_one_browser(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);

    let ran = desk.vega(&["--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.matches(" valid ").count(), 6, "{}", ran.stdout);

    let counters = upstox.counters().await?;
    assert_eq!(counters["otp_presses"], 1, "{counters}");
    assert_eq!(counters["tokens_issued"], 6, "{counters}");
    assert_eq!(counters["max_exchanges_of_one_code"], 1, "{counters}");
    assert_eq!(counters["max_parallel_sign_ins"], 1, "{counters}");
    assert_eq!(
        counters["browser_sessions_seen"], 1,
        "one browser session for the account: {counters}"
    );
    assert_eq!(
        (&counters["wrong_otp"], &counters["wrong_pin"]),
        (&Value::from(0), &Value::from(0))
    );

    let status = desk.vega(&["status", "--json"]).await?;
    assert_eq!(status.code, Some(0), "{status:?}");
    let status = status.json()?;
    assert_eq!(status["v"], 1);
    for (api, name) in status["apis"].as_array().context("apis")?.iter().zip([
        "PRIMARY",
        "WEBSOCKET1",
        "WEBSOCKET2",
        "WEBSOCKET3",
        "OPTIONCHAIN1",
        "OPTIONCHAIN2",
    ]) {
        assert_eq!(
            (&api["api"], &api["status"]),
            (&Value::from(name), &Value::from("valid"))
        );
        assert_eq!(
            (&api["generation"], &api["last_failure"]),
            (&Value::from(1), &Value::Null)
        );
        assert!(
            api["valid_until"]
                .as_str()
                .is_some_and(|at| at.ends_with("T03:30:00+05:30")),
            "{api}"
        );

        let token = desk.vega(&["token", name]).await?;
        assert_eq!((token.code, token.stderr.as_str()), (Some(0), ""));
        assert_eq!(
            upstox.profile_status(token.stdout.trim()).await?,
            200,
            "{name}'s token works at Upstox"
        );
    }
    assert_eq!(status["accounts"][0]["otp_presses_left"], 3);

    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    upstox.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn nothing_secret_is_left_on_disk() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes"]).await?.code, Some(0));
    let token = desk.vega(&["token", "PRIMARY"]).await?.stdout.trim().to_owned();
    let codes = upstox.counters().await?["exchanges_by_code"]
        .as_object()
        .context("codes")?
        .clone();

    let bytes = desk.bytes_on_disk()?;
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    assert!(holds(b"OPTIONCHAIN2"), "the look must see what is on disk");
    assert_eq!(codes.len(), 6);
    for code in codes.keys() {
        assert!(
            !holds(code.as_bytes()),
            "an authorization code is on disk in clear"
        );
    }
    // The header is the same in all tokens; the payload's start is every token of the account's.
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a token of three parts");
    for part in parts {
        assert!(!holds(part.as_bytes()), "a part of the token is on disk in clear");
    }
    let profiles = desk.browser_profiles();
    assert_eq!(
        std::fs::read_dir(profiles)?.count(),
        0,
        "the browser profile is removed"
    );
    Ok(())
}

#[tokio::test]
async fn seed_2_2_no_silent_regeneration() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let ran = desk.vega(&[]).await?;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("--yes"), "{ran:?}");
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    let token = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!((token.code, token.stdout.as_str()), (Some(3), ""));
    assert!(token.stderr.contains("missing"), "{token:?}");
    Ok(())
}

#[tokio::test]
async fn a_token_is_handed_out_only_for_the_app_and_person_that_are_configured() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["PRIMARY", "--yes"]).await?.code, Some(0));
    assert_eq!(desk.vega(&["token", "PRIMARY"]).await?.code, Some(0));
    desk.set("UPSTOX_USER_ID", "ZZ9999");
    assert_eq!(desk.vega(&["token", "PRIMARY"]).await?.code, Some(3));
    desk.set("UPSTOX_USER_ID", "AB1234");
    desk.set("UPSTOX_CLIENT_ID_0", "another-app");
    let refused = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(3), ""),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn without_a_network_nobody_waits_for_a_page() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__UPSTOX__API_BASE_URL", "http://127.0.0.1:9");
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.stderr.contains("Upstox is unreachable"), "{ran:?}");
    assert!(ran.json()?["run"].is_null(), "nothing was begun: {ran:?}");
    Ok(())
}

#[tokio::test]
async fn a_network_that_goes_away_before_the_page_opens_is_named() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox
        .scenario(json!({ "scope": "all", "on": "dialog", "kind": "reset_before" }))
        .await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let steps = &ran.json()?["run"]["steps"];
    assert_eq!(
        (&steps[0]["reason"], &steps[1]["state"]),
        (&"network".into(), &"pending".into()),
        "{steps}"
    );
    Ok(())
}
