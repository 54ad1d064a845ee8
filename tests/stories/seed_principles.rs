//! The principles of the seed, each with the test that carries its name. What is not here is a story of its own.
//!
//! | the seed's section 2 | test |
//! | --- | --- |
//! | 2.1 no CAPTCHA bypass | `challenge::seed_2_1_no_captcha_bypass` |
//! | 2.1 no OTP abuse: one browser, no parallel logins | `first_morning::seed_2_1_no_otp_abuse_six_tokens_with_one_press_in_one_browser` |
//! | 2.1 audit trail of all token events | `audit::seed_2_1_audit_trail_of_a_whole_morning`, and over days `three_mornings` |
//! | 2.1 audit trail of what was refused, whoever knocks and however often | `server_refusals::every_refusal_is_on_record_and_a_flood_hides_none` |
//! | 2.2 no retries on OTP or PIN failures | `wrong_second_factor::seed_2_2_never_4_a_refused_otp_is_not_retried`, `…_a_refused_pin_is_not_retried` |
//! | 2.2 immediate cooldown on throttling | `waits::seed_2_2_immediate_cooldown_on_throttling` |
//! | 2.2 no silent regeneration | `first_morning::seed_2_2_no_silent_regeneration` |
//! | 2.3 operator confirmation for generation | `terminal::seed_2_3_operator_confirmation` |
//! | 2.3 visual browser for credential entry | `seed_2_3_visual_browser_for_credential_entry` |
//! | 2.3 clear success and failure feedback | `wrong_app::seed_2_3_clear_feedback_on_success_and_failure` |
//! | 2.4 SQLite is authoritative | `seed_2_4_sqlite_is_authoritative` |
//! | 2.4 the in-memory cache is secondary | vega-services `order_of_effects::seed_2_4_memory_is_secondary_and_published_last` |
//! | 2.4 state persisted for crash recovery | `resumed::seed_2_4_state_is_persisted_for_crash_recovery` |
//! | 2.4 a run that breaks off has its record | `server_broken_runs::a_run_that_breaks_off_has_its_record_and_its_reason_and_goes_on_later` |
//! | 2.5 parallel verification before generation, fast path | `all_valid::seed_2_5_parallel_verification_and_fast_path_if_all_are_valid` |
//! | 2.5 only invalid or missing tokens are made | `two_dead_of_six::seed_2_5_only_invalid_or_missing_tokens_are_made` |

use anyhow::Result;
use vega_tests::{Desk, FakeDriver, Upstox};

/// Whoever sets nothing has a window to type in.
#[tokio::test]
async fn seed_2_3_visual_browser_for_credential_entry() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    let driver = FakeDriver::at(&mut desk)?;
    let is_headless = |arguments: Vec<String>| arguments.iter().any(|one| one.contains("headless"));
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    let arguments = driver.browser_arguments()?;
    assert!(arguments.contains(&"--incognito".to_owned()), "{arguments:?}");
    assert!(!is_headless(arguments.clone()), "{arguments:?} {ran:?}");
    // Nor does Vega try the sign-in without its window.
    assert_eq!(ran.code, Some(9), "{ran:?}");
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    Ok(())
}

/// What the database says is so, for every command and at once: nothing else remembers a token.
#[tokio::test]
async fn seed_2_4_sqlite_is_authoritative() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let database = desk.path().join("data/vega/vega_trade.db");
    assert_eq!(desk.vega(&["status"]).await?.code, Some(3));
    let empty = std::fs::read(&database)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let token = desk.token("PRIMARY").await?;
    let full = std::fs::read(&database)?;

    // Another file in its place counts when the operator says so.
    let accept = ["audit", "accept", "--reason", "the file was put there"];
    std::fs::write(&database, &empty)?;
    let older = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!((older.code, &*older.stdout), (Some(9), ""), "{older:?}");
    assert_eq!(desk.vega(&accept).await?.code, Some(0));
    assert_eq!(desk.status().await?.api("PRIMARY")?["status"], "missing");
    let none = desk.vega(&["token", "PRIMARY"]).await?;
    assert_eq!((none.code, &*none.stdout), (Some(3), ""), "{none:?}");
    let calls = upstox.count("profile_calls").await?;
    assert_eq!(desk.vega(&["verify", "PRIMARY"]).await?.code, Some(3));
    assert_eq!(
        upstox.count("profile_calls").await?,
        calls,
        "there is nothing to ask about"
    );

    std::fs::write(&database, &full)?;
    assert_eq!(desk.vega(&accept).await?.code, Some(0));
    assert_eq!(desk.status().await?.api("PRIMARY")?["generation"], 1);
    assert_eq!(desk.token("PRIMARY").await?, token);
    Ok(())
}
