//! The operator rotates the key with tokens in use, and Vega dies at each point of it; then a backup takes the database's
//! place. The token works on, and the audit trail fits.

use anyhow::{Result, ensure};
use vega_tests::{Desk, Upstox};

const API: &str = "PRIMARY";

#[tokio::test]
async fn a_token_outlives_deaths_in_a_rotation_and_a_restore() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    desk.crash_at(Some("before_attempt_opened"))?;
    let died = desk.vega(&["--yes", API]).await?;
    assert_eq!(died.code, None, "{died:?}");
    desk.crash_at(None)?;
    let refused = desk.vega(&["seal", "rotate"]).await?;
    assert_eq!(refused.code, Some(11), "{refused:?}");
    ensure!(refused.stderr.contains("`vega verify`"), "{refused:?}");
    let run = desk.vega(&["--yes", API]).await?;
    assert_eq!(run.code, Some(0), "{run:?}");
    let token = desk.token(API).await?;

    for point in [
        "next_key_written",
        "sealed_anew",
        "rotation_committed",
        "old_key_kept",
        "key_in_place",
    ] {
        desk.crash_at(Some(point))?;
        let died = desk.vega(&["seal", "rotate"]).await?;
        assert_eq!(died.code, None, "{point} was never reached: {died:?}");
        desk.crash_at(None)?;
        assert_eq!(desk.token(API).await?, token, "after {point}");
    }
    let rotated = desk.vega(&["seal", "rotate", "--json"]).await?.json()?;
    // The token, the chain keys of the rotations that came as far as their commit, and the one of this one.
    assert_eq!(rotated["sealed"], 1 + 3 + 1, "{rotated}");
    assert_eq!(upstox.profile_status(&desk.token(API).await?).await?, 200);

    let backup = desk.path().join("backup.db").display().to_string();
    let made = desk.vega(&["backup", &backup]).await?;
    assert_eq!(made.code, Some(0), "{made:?}");
    let data = desk.path().join("data/vega");
    for file in ["vega_trade.db", "vega_trade.db-wal", "vega_trade.db-shm"] {
        let _ = std::fs::rename(data.join(file), desk.path().join(file));
    }
    std::fs::copy(&backup, data.join("vega_trade.db"))?;
    assert_eq!(desk.token(API).await?, token);
    let verified = desk.vega(&["verify", API]).await?;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let intact = desk.vega(&["audit", "--verify"]).await?;
    ensure!(
        intact.code == Some(0) && intact.stdout.contains("6 checkpoints"),
        "{intact:?}"
    );
    Ok(())
}
