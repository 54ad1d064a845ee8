//! The firewall in front of Upstox blocks this browser in the middle of a sign-in.

use anyhow::Result;
use rstest::rstest;
use serde_json::json;
use vega_tests::{Counts, Desk, Upstox};

#[rstest]
#[case::after_the_pin("after_pin", 1)]
#[case::before_anything("page", 0)]
#[tokio::test]
async fn a_block_page_ends_the_run_at_once(#[case] at: &str, #[case] typed: u64) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    // Far beyond what the page needs to be recognised.
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "20s");
    upstox.pages("cloudflare_html", json!({ "at": at })).await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "blocked", "{report:?}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: typed,
            dialogs_opened: 1,
            pin_entries: typed,
            ..Counts::default()
        }
    );
    Ok(())
}
