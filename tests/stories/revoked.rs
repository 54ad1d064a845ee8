//! The operator takes a token back before its time: no program gets it from Vega any more, and Upstox does not take it.
//! Where Upstox cannot be told, Vega says how long the token may live there, and tries again when it is asked to.

use anyhow::{Result, ensure};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Engine, Terminal, Upstox};

const API: &str = "PRIMARY";
const OTHER: &str = "WEBSOCKET1";

#[rstest]
#[tokio::test]
async fn a_revoked_token_works_nowhere_and_its_neighbour_everywhere(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let none = desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(none.code, Some(0), "{none:?}");
    ensure!(none.stderr.contains("no token that lives"), "{none:?}");
    assert_eq!(desk.vega(&["--yes", API, OTHER]).await?.code, Some(0));
    let (token, other) = (desk.token(API).await?, desk.token(OTHER).await?);

    let nobody = desk.vega(&["revoke", API]).await?;
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert_eq!(upstox.profile_status(&desk.token(API).await?).await?, 200);

    let revoked = desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert_eq!(revoked.stdout, "");
    ensure!(!revoked.stderr.contains(&token), "{revoked:?}");
    assert_eq!(upstox.profile_status(&token).await?, 401);
    let refused = desk.vega(&["token", API]).await?;
    assert_eq!((refused.code, &*refused.stdout), (Some(3), ""), "{refused:?}");
    ensure!(refused.stderr.contains("it is invalid"), "{refused:?}");
    let verified = desk.vega(&["verify", API]).await?;
    assert_eq!(verified.code, Some(3), "nothing brings it back: {verified:?}");
    assert_eq!(desk.token(OTHER).await?, other);
    assert_eq!(upstox.profile_status(&other).await?, 200);

    for kind in ["token_revoked", "token_logged_out"] {
        assert_eq!(desk.audited(kind, "default", API)?, 1, "{kind}");
    }
    let intact = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(intact.code, Some(0), "{intact:?}");

    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let second = desk.token(API).await?;
    assert_ne!(second, token);
    assert_eq!(upstox.profile_status(&second).await?, 200);
    Ok(())
}

#[rstest]
#[tokio::test]
async fn an_upstox_that_cannot_be_told_is_told_when_it_can(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let token = desk.token(API).await?;
    upstox
        .scenario(json!({ "scope": "all", "on": "logout", "kind": "reset_before" }))
        .await?;

    let cut_off = desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(cut_off.code, Some(5), "{cut_off:?}");
    ensure!(cut_off.stderr.contains(" 03:30 IST"), "{cut_off:?}");
    assert_eq!(upstox.profile_status(&token).await?, 200, "it lives there");
    assert_eq!(
        desk.vega(&["token", API]).await?.code,
        Some(3),
        "but not from Vega"
    );
    let verified = desk.vega(&["verify", API]).await?;
    assert_eq!(verified.code, Some(3), "nothing brings it back: {verified:?}");
    assert_eq!(desk.vega(&["token", API]).await?.code, Some(3));

    upstox.no_scenarios().await?;
    let again = desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(upstox.profile_status(&token).await?, 401);
    assert_eq!(desk.audited("token_revoked", "default", API)?, 1);
    assert_eq!(desk.audited("token_logged_out", "default", API)?, 2);
    Ok(())
}

#[tokio::test]
async fn enter_alone_revokes_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let token = desk.token(API).await?;
    for (keys, code, status) in [("\n", 11, 200), ("n", 11, 200), ("y", 0, 401)] {
        let mut vega = desk.start_in_terminal(&["revoke", API])?;
        let mut terminal = Terminal::of(&mut vega)?;
        terminal.wait_for("Revoke the token of PRIMARY?").await?;
        terminal.type_keys(keys).await?;
        let ended = vega.wait().await?.code();
        assert_eq!(ended, Some(code), "{keys:?}: {}", terminal.shown());
        assert_eq!(upstox.profile_status(&token).await?, status, "{keys:?}");
    }
    Ok(())
}
