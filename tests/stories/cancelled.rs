//! The operator ends a run from a second terminal.

use anyhow::Result;
use rstest::rstest;
use vega_tests::{Desk, Engine, Ran, Upstox, until};

#[rstest]
#[tokio::test]
async fn a_second_terminal_ends_the_run(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let nothing = desk.vega(&["cancel"]).await?;
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    assert!(nothing.stderr.contains("No run is under way"), "{nothing:?}");

    upstox.human_at_the_desk(false).await?;
    let vega = desk.start(&["--yes", "--json"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let cancelled = desk.vega(&["cancel"]).await?;
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert!(cancelled.stderr.contains("The run has ended"), "{cancelled:?}");

    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(11), "{ran:?}");
    assert_eq!(ran.json()?["run"]["state"], "cancelled", "{ran:?}");
    assert_eq!(ran.report()?.reason("PRIMARY")?, "cancelled");
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}
