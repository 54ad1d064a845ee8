//! Vega over days: each morning all six are dead and made anew, and what dies in the middle of a day is made alone.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::{Value, json};
use vega_tests::{Desk, Engine, Ran, Upstox, it_is};

/// 08:45 in India.
const MORNING: (u32, u32, u32) = (3, 15, 0);
/// 12:30 in India.
const MIDDAY: (u32, u32, u32) = (7, 0, 0);
const REJECTED: &str = "WEBSOCKET3";

/// The tokens of all APIs, which work at Upstox.
async fn tokens(upstox: &Upstox, desk: &Desk) -> Result<BTreeMap<String, String>> {
    let mut tokens = BTreeMap::new();
    for api in upstox.apps() {
        let token = desk.token(api).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{api}'s token works");
        tokens.insert(api.to_owned(), token);
    }
    Ok(tokens)
}

/// All are valid, with these generations, in the order of the configuration.
fn has_generations(ran: &Ran, generations: [u64; 6]) -> Result<()> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json()?;
    assert_eq!(report["run"]["state"], "completed", "{report}");
    let apis = report["apis"].as_array().context("apis")?;
    let made: Vec<_> = apis
        .iter()
        .map(|api| (&api["status"], &api["generation"]))
        .collect();
    let (valid, generations) = (json!("valid"), generations.map(|generation| json!(generation)));
    let expected: Vec<_> = generations
        .iter()
        .map(|generation| (&valid, generation))
        .collect();
    assert_eq!(made, expected, "{report}");
    Ok(())
}

#[rstest]
#[tokio::test]
async fn three_mornings_and_a_token_that_dies_at_midday(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    let apps: Vec<&str> = upstox.apps().collect();

    it_is(1, MORNING, &upstox, &desk).await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    has_generations(&ran, [1; 6])?;
    let mut before = tokens(&upstox, &desk).await?;

    for morning in [2, 3] {
        it_is(morning, MORNING, &upstox, &desk).await?;
        assert_eq!(desk.status().await?.apis_with_status("expired"), apps);
        for (api, token) in &before {
            assert_eq!(
                upstox.profile_status(token).await?,
                401,
                "{api}'s of the day before"
            );
        }
        let ran = desk.vega(&["--yes", "--json"]).await?;
        has_generations(&ran, [morning; 6])?;
        assert_eq!(ran.report()?.steps_in_state("done"), apps, "{ran:?}");
        let now = tokens(&upstox, &desk).await?;
        assert!(
            now.iter().all(|(api, token)| before[api] != *token),
            "all are new"
        );
        before = now;
    }

    it_is(3, MIDDAY, &upstox, &desk).await?;
    upstox.log_out(&before[REJECTED]).await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    has_generations(&ran, [3, 3, 3, 4, 3, 3])?;
    assert_eq!(ran.report()?.steps_in_state("done"), [REJECTED], "{ran:?}");
    let after = tokens(&upstox, &desk).await?;
    let is_as_before = |api: &str| after[api] == before[api];
    let new: Vec<&str> = apps.iter().copied().filter(|api| !is_as_before(api)).collect();
    assert_eq!(new, [REJECTED]);

    let counters = upstox.counters().await?;
    let counted = [
        "otp_presses",
        "tokens_issued",
        "max_parallel_sign_ins",
        "max_exchanges_of_one_code",
    ];
    assert_eq!(
        counted.map(|name| &counters[name]),
        [4, 19, 1, 1],
        "one press a run: {counters}"
    );
    all_is_on_record(&desk).await
}

/// The audit trail tells all days, and nobody has changed it.
async fn all_is_on_record(desk: &Desk) -> Result<()> {
    let told = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = told["entries"].as_array().context("entries")?;
    let days = |kind: &str| {
        let mut days: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry["kind"] == kind) {
            let day = entry["at"]
                .as_str()
                .and_then(|at| at.get(..10))
                .unwrap_or_default();
            *days.entry(day).or_default() += 1;
        }
        days.into_values().collect::<Vec<_>>()
    };
    assert_eq!(days("token_stored"), [6, 6, 7], "{told}");
    assert_eq!(days("run_started"), [1, 1, 2], "{told}");
    assert_eq!(days("run_ended"), [1, 1, 2], "{told}");
    let is_dead = |entry: &Value| {
        entry["detail"]
            .as_str()
            .is_some_and(|words| words.contains("calls it dead"))
    };
    let rejected = |entry: &&Value| entry["kind"] == "token_checked" && is_dead(entry);
    let rejected: Vec<_> = entries
        .iter()
        .filter(rejected)
        .map(|entry| &entry["api"])
        .collect();
    assert_eq!(rejected, [REJECTED], "{told}");

    let chain = desk.vega(&["audit", "--verify", "--json"]).await?;
    assert_eq!(chain.code, Some(0), "{chain:?}");
    let verdict = chain.json()?;
    assert_eq!(
        (&verdict["intact"], &verdict["checkpoints"]),
        (&json!(true), &json!(4)),
        "{verdict}"
    );
    Ok(())
}
