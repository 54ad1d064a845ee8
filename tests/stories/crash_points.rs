//! Vega dies at each point of a token's life. What the next start finds, and what it never does again by itself.

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Engine, Upstox};

const API: &str = "PRIMARY";

/// What the next start makes of a death.
struct Found {
    status: &'static str,
    reason: Option<&'static str>,
    /// Presses that the ledger knows of; one that may have been made counts.
    presses_on_record: u64,
    exchanges: u64,
}

const NOTHING_BEGAN: Found = Found {
    status: "missing",
    reason: Some("interrupted"),
    presses_on_record: 0,
    exchanges: 0,
};
const OTP_SPENT: Found = Found {
    reason: Some("interrupted_past_press"),
    presses_on_record: 1,
    ..NOTHING_BEGAN
};
const CODE_SPENT: Found = Found {
    reason: Some("outcome_unknown"),
    ..OTP_SPENT
};
const CODE_SENT: Found = Found {
    exchanges: 1,
    ..CODE_SPENT
};
const FINISHED_WITHOUT_A_HUMAN: Found = Found {
    status: "valid",
    reason: None,
    presses_on_record: 1,
    exchanges: 1,
};

#[rstest]
#[case::before_attempt_opened("before_attempt_opened", NOTHING_BEGAN)]
#[case::after_attempt_opened("after_attempt_opened", NOTHING_BEGAN)]
#[case::before_otp_recorded("before_otp_recorded", NOTHING_BEGAN)]
#[case::after_otp_recorded("after_otp_recorded", OTP_SPENT)]
#[case::otp_requested("otp_requested", OTP_SPENT)]
#[case::before_code_sealed("before_code_sealed", OTP_SPENT)]
#[case::after_code_sealed("after_code_sealed", CODE_SPENT)]
#[case::after_exchange("after_exchange", CODE_SENT)]
#[case::after_answer_sealed("after_answer_sealed", FINISHED_WITHOUT_A_HUMAN)]
#[case::before_token_stored("before_token_stored", FINISHED_WITHOUT_A_HUMAN)]
#[case::after_token_stored("after_token_stored", FINISHED_WITHOUT_A_HUMAN)]
#[case::token_published("token_published", FINISHED_WITHOUT_A_HUMAN)]
#[tokio::test]
async fn never_7_a_received_token_lost_when_vega_dies(
    #[case] point: &str,
    #[case] found: Found,
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    desk.crash_at(Some(point))?;
    let died = desk.vega(&["--yes", API]).await?;
    assert_eq!(died.code, None, "{point} was never reached: {died:?}");
    desk.crash_at(None)?;

    let before = upstox.counters().await?;
    let next = desk.vega(&["verify", "--json"]).await?;
    let report = next.report()?;
    let api = report.api(API)?;
    assert_eq!(api["status"], found.status, "{report:?}");
    assert_eq!(api["last_failure"]["reason"], json!(found.reason), "{report:?}");
    let left = next.json()?["accounts"][0]["otp_presses_left"]
        .as_u64()
        .context("otp_presses_left")?;
    assert_eq!(4 - left, found.presses_on_record, "{report:?}");

    let after = upstox.counters().await?;
    assert_eq!(after["exchanges"], found.exchanges, "{after}");
    for once in ["dialogs_opened", "otp_presses", "exchanges"] {
        assert_eq!(
            after[once], before[once],
            "{once}: nothing is done again by itself"
        );
    }
    if found.status == "valid" {
        let token = desk.token(API).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{API}'s token works");
    }
    Ok(())
}

/// The database takes no token, or no answer, so it goes into the spool. Vega dies there, or on the way home.
#[rstest]
#[case::token_kept("upstox_tokens", &["kept_in_spool"])]
#[case::token_on_the_way("upstox_tokens", &["", "before_token_stored"])]
#[case::token_at_home("upstox_tokens", &["", "after_token_stored"])]
#[case::token_all_the_way("upstox_tokens", &["kept_in_spool", "before_token_stored", "after_token_stored"])]
#[case::answer_kept("sign_in_attempts", &["kept_in_spool"])]
#[case::answer_on_the_way("sign_in_attempts", &["kept_in_spool", "before_answer_sealed"])]
#[case::answer_at_home("sign_in_attempts", &["kept_in_spool", "after_answer_sealed"])]
#[tokio::test]
async fn never_7_a_received_token_lost_on_its_way_through_the_spool(
    #[case] full: &str,
    #[case] points: &[&str],
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    desk.vega(&["verify"]).await?;
    let change = match full {
        "sign_in_attempts" => "UPDATE OF sealed_answer",
        _ => "INSERT",
    };
    desk.fill(full, change)?;

    let (first, later) = points.split_first().context("a point")?;
    desk.crash_at(Some(first))?;
    let went = desk.vega(&["--yes", API]).await?;
    desk.crash_at(None)?;
    assert_eq!(went.code.is_none(), !first.is_empty(), "{first}: {went:?}");
    if full == "upstox_tokens" {
        let token = desk.token(API).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "it works at once");
    }

    desk.make_room(full)?;
    for point in later {
        desk.crash_at(Some(point))?;
        let died = desk.vega(&["verify"]).await?;
        assert_eq!(died.code, None, "{point} was never reached: {died:?}");
    }
    desk.crash_at(None)?;
    let next = desk.vega(&["verify", "--json"]).await?;
    assert_eq!(next.report()?.api(API)?["status"], "valid", "{next:?}");
    let token = desk.token(API).await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    for once in ["dialogs_opened", "otp_presses", "exchanges"] {
        assert_eq!(upstox.count(once).await?, 1, "{once}: nothing is done again");
    }
    let again = desk.vega(&["verify", "--json"]).await?;
    assert_eq!(again.report()?.api(API)?["generation"], 1, "{again:?}");
    Ok(())
}

/// The page refuses the PIN and Vega dies before it could stop the account: the next start stops it.
#[rstest]
#[tokio::test]
async fn a_refusal_is_heeded_by_the_next_start(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::with_test_hooks(&upstox)?.over(engine);
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    upstox.human_mistypes("wrong_pin").await?;
    desk.crash_at(Some("after_attempt_closed"))?;
    let died = desk.vega(&["--yes", API]).await?;
    assert_eq!(died.code, None, "{died:?}");
    desk.crash_at(None)?;

    let next = desk.vega(&["--yes", "--json", API]).await?;
    assert_eq!(next.code, Some(7), "{next:?}");
    let report = next.json()?;
    assert_eq!(
        report["accounts"][0]["stop"]["failure"]["reason"], "pin_refused",
        "{report}"
    );
    assert_eq!(
        upstox.count("dialogs_opened").await?,
        1,
        "nothing is signed in for"
    );
    Ok(())
}

/// Vega dies before it could say that Upstox throttled it. The operator's word holds, and is not undone by the next start.
#[rstest]
#[tokio::test]
async fn a_cooldown_that_the_operator_ends_is_not_begun_anew_by_recovery(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?.over(engine);
    upstox.otp_limit(0).await?;
    desk.crash_at(Some("after_attempt_closed"))?;
    let died = desk.vega(&["--yes", API]).await?;
    assert_eq!(died.code, None, "{died:?}");
    desk.crash_at(None)?;
    upstox.otp_limit(5).await?;

    let clear = [
        "cooldown",
        "clear",
        "default",
        "--reason",
        "Upstox says it is over",
    ];
    let cleared = desk.vega(&clear).await?;
    assert!(
        cleared.stderr.contains("Account default is open again"),
        "{cleared:?}"
    );
    let next = desk.vega(&["--yes", "--no-wait", API]).await?;
    assert_eq!(next.code, Some(0), "{next:?}");
    Ok(())
}
