//! Two of the six tokens were logged out at Upstox: only those two are made anew.

use std::collections::BTreeMap;

use anyhow::Result;
use vega_tests::{Desk, Upstox};

const DEAD: [&str; 2] = ["WEBSOCKET1", "OPTIONCHAIN2"];

#[tokio::test]
async fn seed_2_5_only_invalid_or_missing_tokens_are_made() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes"]).await?.code, Some(0));
    let mut first = BTreeMap::new();
    for api in upstox.apps() {
        first.insert(api, desk.token(api).await?);
    }
    for api in DEAD {
        upstox.log_out(&first[api]).await?;
    }
    let before = upstox.count("dialogs_opened").await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.steps_in_state("done"), DEAD, "{report:?}");
    assert_eq!(upstox.count("dialogs_opened").await? - before, 2);

    let counters = upstox.counters().await?;
    for api in upstox.apps() {
        let is_new = DEAD.contains(&api);
        let (made, token) = (1 + u64::from(is_new), desk.token(api).await?);
        let status = report.api(api)?;
        assert_eq!(status["status"], "valid", "{status}");
        assert_eq!(status["generation"], made, "{status}");
        assert_eq!(counters["tokens_by_app"][api], made, "{api}: {counters}");
        assert_eq!(token != first[api], is_new, "{api}'s token");
        assert_eq!(
            upstox.profile_status(&token).await?,
            200,
            "{api}'s token works at Upstox"
        );
    }
    Ok(())
}
