//! A redirect arrives whose state is not the one that was sent: whoever made it, its code is not used.

use anyhow::Result;
use rstest::rstest;
use serde_json::json;
use vega_tests::{Counts, Desk, Upstox};

#[rstest]
#[case::wrong("redirect_wrong_state")]
#[case::missing("redirect_without_state")]
#[tokio::test]
async fn a_redirect_that_is_not_ours_is_refused_and_said(#[case] kind: &str) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "5s");
    upstox
        .scenario(json!({ "scope": "all", "on": "page", "kind": kind, "times": 1 }))
        .await?;

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(
        ran.stderr
            .contains("missing, wrong or old state arrived and was refused"),
        "{ran:?}"
    );
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "redirect_timeout", "{report:?}");
    let others: Vec<&str> = upstox.apps().skip(1).collect();
    assert_eq!(report.steps_in_state("pending"), others, "{report:?}");
    let refused = Counts {
        otp_presses: 1,
        dialogs_opened: 1,
        pin_entries: 1,
        ..Counts::default()
    };
    assert_eq!(upstox.counts().await?, refused, "its code was never sent");
    assert_eq!(upstox.count("codes_issued").await?, 1, "there was one to send");

    // A faithful redirect is taken, also after that.
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 2,
            dialogs_opened: 2,
            pin_entries: 2,
            ..Counts::of_a_good_run(1)
        }
    );
    Ok(())
}
