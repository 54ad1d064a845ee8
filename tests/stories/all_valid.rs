//! Any later time of the day: all six tokens are good.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use serde_json::json;
use vega_tests::{Desk, Upstox};

#[tokio::test]
async fn seed_2_5_parallel_verification_and_fast_path_if_all_are_valid() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes"]).await?.code, Some(0));
    let before = upstox.counters().await?;

    // A driver that tells when it is started.
    let (driver, started) = (desk.path().join("chromedriver"), desk.path().join("started"));
    std::fs::write(&driver, format!("#!/bin/sh\ntouch '{}'\n", started.display()))?;
    std::fs::set_permissions(&driver, std::fs::Permissions::from_mode(0o755))?;
    desk.set("VEGA__BROWSER__CHROMEDRIVER", &driver.to_string_lossy());
    // Slow enough that the calls overlap if they run in parallel.
    upstox
        .scenario(json!({ "scope": "all", "on": "profile", "kind": "delay", "params": { "ms": 400 } }))
        .await?;

    let ran = desk.vega(&["--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("no sign-in is needed"), "{ran:?}");
    assert!(!started.exists(), "the driver was started");

    let after = upstox.counters().await?;
    for same in [
        "otp_presses",
        "dialogs_opened",
        "codes_issued",
        "exchanges",
        "tokens_issued",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let calls = |counters: &serde_json::Value| counters["profile_calls"].as_u64().unwrap_or_default();
    assert_eq!(
        calls(&after) - calls(&before),
        6,
        "each token was asked about once"
    );
    assert_eq!(after["max_profile_calls_in_flight"], 6, "six at once");
    Ok(())
}
