//! Vega dies in the middle of a sign-in. A polite end is told in `stopped`.

use anyhow::{Context, Result};
use rstest::rstest;
use vega_tests::{Desk, Engine, Upstox, end_at_once, until};

#[rstest]
#[tokio::test]
async fn never_2_a_press_after_a_crash_without_the_operator(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    upstox.human_at_the_desk(false).await?;

    let mut vega = desk.start(&["--yes"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let alive = desk.processes();
    assert!(
        alive.iter().any(|name| name.starts_with("chromedriver")),
        "{alive:?}"
    );
    assert!(
        alive
            .iter()
            .any(|name| name.starts_with("chrom") && name != "chromedriver"),
        "{alive:?}"
    );

    end_at_once(&vega)?;
    vega.wait().await?;
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );

    let status = desk.vega(&["status", "--json"]).await?;
    assert_eq!(status.code, Some(3), "{status:?}");

    // The OTP may be spent: another one for this API needs a yes of its own, which no flag gives by the way.
    upstox.human_at_the_desk(true).await?;
    let five = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(five.code, Some(3), "{five:?}");
    assert!(five.stderr.contains("cut off"), "{five:?}");
    let apps: Vec<&str> = upstox.apps().collect();
    assert_eq!(five.report()?.steps_in_state("done"), apps[1..], "{five:?}");
    let none = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stderr.contains("--again PRIMARY"), "{none:?}");
    assert_eq!(upstox.count("tokens_issued").await?, 5);

    let ran = desk.vega(&["--yes", "--again", "PRIMARY", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json()?;
    assert_eq!(
        (&report["v"], &report["run"]["state"]),
        (&1.into(), &"completed".into()),
        "{report}"
    );
    let steps = report["run"]["steps"].as_array().context("steps")?;
    assert_eq!(steps.len(), 6, "it is one run over all these starts: {report}");
    let counters = upstox.counters().await?;
    assert_eq!(counters["tokens_issued"], 6, "{counters}");
    assert_eq!(counters["max_exchanges_of_one_code"], 1, "{counters}");
    let profiles = desk.browser_profiles();
    assert_eq!(
        std::fs::read_dir(profiles)?.count(),
        0,
        "the profile of the killed run is removed too"
    );
    Ok(())
}
