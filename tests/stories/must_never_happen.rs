//! What must never happen, each with the test that carries its number. What is not here is a story of its own.
//!
//! | never | test |
//! | --- | --- |
//! | 1 two sign-ins at once | `two_at_once::never_1_two_sign_ins_at_once`, fifty starts of two |
//! | 2 an OTP press beyond the budget | `session_modes::never_2_a_press_beyond_the_budget` |
//! | 2 a second press in one attempt | `reloaded_page::never_2_a_second_press_in_one_attempt` |
//! | 2 a press after a crash without the operator | `killed::never_2_a_press_after_a_crash_without_the_operator` |
//! | 2 a press for an OTP that nobody can type | `nobody_there::without_a_window_and_without_a_terminal_no_otp_is_asked_for` |
//! | 3 a code POSTed twice | `lost_answer::never_3_a_code_sent_twice` |
//! | 4 a retried OTP or PIN | `wrong_second_factor::seed_2_2_never_4_a_refused_otp_is_not_retried`, `…_a_refused_pin_is_not_retried` |
//! | 4 a refusal that is not seen, whatever it looks like | `plain_refusals::never_4_a_refusal_stops_the_account_whatever_it_looks_like`, and vega-selenium `refusals` for the pages |
//! | 5 a sign-in for a token that is valid or unknown | `never_5_a_sign_in_for_a_token_that_is_valid_or_unknown` |
//! | 6 a token served that is expired, unverified, of another user or not the newest | `never_6_a_token_served_that_is_expired_unverified_of_another_user_or_not_the_newest`, and vega-services `hot_token_registry::never_6_…` for readers in one process |
//! | 4 an OTP or PIN of no six digits sent to Upstox, where it counts as a try | `server_pasted_answers::what_is_no_otp_or_pin_is_asked_for_again`, and vega-domain `reading` for every door |
//! | 5 an OTP spent on an id or secret that cannot be one | vega-cli `pasted_values::what_is_pasted_with_more_is_refused_by_its_settings_name` |
//! | 6 a token that Upstox refuses handed out again to whoever says so | `rejections::a_thousand_reports_are_one_question_and_a_dead_token_is_gone` |
//! | 6 a good token kept from its programs by any number of silent connections | `server_limits::programs_get_their_tokens_while_hundreds_are_silent`, and vega-own-browser `callback::the_code_comes_back_while_a_crowd_is_silent` for codes |
//! | 6 an answer cut off and called a success, or a token of yesterday left in a script's variable | `last_byte::a_token_that_is_cut_off_is_no_success`, `…a_shell_exports_the_token_for_what_it_starts` |
//! | 6 a token, key or session that was taken back, served again after an edit of the database | `edited_database`, every kind of edit while the server runs and before it starts; vega-persistence `row_values`, `rows_put_back`, `rows_accepted` and `revoked_copies` for every column, row and copy |
//! | 7 a received token lost | `crash_points::never_7_a_received_token_lost_when_vega_dies`, vega-services `storage_failures::never_7_a_received_token_lost_to_a_failing_database`, and `stopped` for a polite end |
//! | 8 a secret in a log, error, argv, file or picture | `no_leaks::never_8_a_secret_anywhere_at_the_loudest_log_level` and its neighbours |
//! | 8 a code or state for whoever listens at the redirect URI | `redirect_port::never_8_another_program_at_the_redirect_port_gets_nothing`, and vega-selenium `redirects` for every kind of address |
//! | 8 a token or secret sent where somebody else's file says | vega-cli `working_directory::whoever_wrote_it_it_is_left_alone`, `open_folders::what_others_may_change_is_refused_at_every_start` |
//! | 8 a key, link or code for whoever took the server's port | vega-listening `who::whoever_passes_the_question_on_is_not_believed`, vega-cli `access::there_is_no_link_into_the_console_where_no_server_of_ours_listens` |
//! | 8 a terminal steered by words from outside | vega-domain `visible::nothing_that_a_terminal_obeys_is_let_through`, vega-bootstrap `telemetry::words_from_outside_steer_no_terminal_and_forge_no_entry` |
//! | 9 a CAPTCHA touched, the automation hidden | `challenge::never_9_a_captcha_touched_or_the_automation_hidden` |
//! | 10 a run called completed with a token missing | `never_10_a_run_called_completed_with_a_token_missing`, and vega-domain `run::never_10_a_run_called_completed_with_a_step_open` |

use anyhow::{Context, Result};
use chrono::TimeDelta;
use serde_json::{Value, json};
use vega_tests::{Desk, Upstox};

/// A valid one may be replaced, with a reason that goes on record; an unknown one never.
#[tokio::test]
async fn never_5_a_sign_in_for_a_token_that_is_valid_or_unknown() -> Result<()> {
    const FORCE: &[&str] = &["PRIMARY", "--yes", "--force", "--reason", "it leaked"];
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let token = desk.token("PRIMARY").await?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0), "valid");

    upstox
        .scenario(json!({ "scope": "all", "on": "profile", "kind": "cloudflare_html" }))
        .await?;
    for unknown in [&["--yes", "PRIMARY"], FORCE] {
        let ran = desk.vega(unknown).await?;
        assert_eq!(ran.code, Some(5), "{ran:?}");
    }
    assert_eq!(upstox.count("dialogs_opened").await?, 1);
    assert_eq!(upstox.count("otp_presses").await?, 1);
    assert_eq!(
        desk.token("PRIMARY").await?,
        token,
        "an outage takes no proven token away"
    );

    upstox.no_scenarios().await?;
    let forced = desk.vega(FORCE).await?;
    assert_eq!(forced.code, Some(0), "{forced:?}");
    assert_ne!(desk.token("PRIMARY").await?, token);
    let told = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = told["entries"].as_array().context("entries")?;
    let reasons = entries.iter().filter(|entry| {
        entry["detail"]
            .as_str()
            .is_some_and(|words| words.contains("it leaked"))
    });
    let kinds: Vec<&Value> = reasons.map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["plan_confirmed"], "{told}");
    Ok(())
}

#[tokio::test]
async fn never_6_a_token_served_that_is_expired_unverified_of_another_user_or_not_the_newest() -> Result<()> {
    const OLD: &str = "WEBSOCKET2";
    const UNVERIFIED: &str = "PRIMARY";
    const OF_ANOTHER: &str = "WEBSOCKET1";
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    upstox
        .scenario(json!({ "scope": { "app": UNVERIFIED }, "on": "profile", "kind": "status", "params": { "status": 500 } }))
        .await?;
    upstox
        .scenario(json!({ "scope": { "app": OF_ANOTHER }, "on": "exchange", "kind": "wrong_user" }))
        .await?;
    let ran = desk.vega(&["--yes", UNVERIFIED, OLD, "--json"]).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(ran.report()?.reason(UNVERIFIED)?, "unverified", "{ran:?}");
    let first = desk.token(OLD).await?;
    let ran = desk
        .vega(&["--yes", OLD, "--force", "--reason", "a newer one"])
        .await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let newest = desk.token(OLD).await?;
    assert_ne!(newest, first);
    assert_eq!(upstox.profile_status(&newest).await?, 200);

    let ran = desk.vega(&["--yes", OF_ANOTHER]).await?;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    assert_eq!(
        upstox.count("tokens_issued").await?,
        4,
        "each of them was received"
    );
    nothing_is_served(&desk, UNVERIFIED, 5).await?;
    nothing_is_served(&desk, OF_ANOTHER, 3).await?;

    upstox.move_clock(TimeDelta::days(1)).await?;
    desk.move_clock(TimeDelta::days(1))?;
    nothing_is_served(&desk, OLD, 3).await
}

async fn nothing_is_served(desk: &Desk, api: &str, code: i32) -> Result<()> {
    for format in ["raw", "json", "env", "header"] {
        let ran = desk.vega(&["token", api, "--format", format]).await?;
        // A shell that evaluates it must lose the token of yesterday.
        let printed = if format == "env" {
            "unset UPSTOX_ACCESS_TOKEN; false\n"
        } else {
            ""
        };
        assert_eq!((ran.code, &*ran.stdout), (Some(code), printed), "{api}: {ran:?}");
        assert!(!ran.stderr.contains("eyJ"), "{api}: {ran:?}");
    }
    Ok(())
}

/// Two of three tokens fail in the two ways that come latest: one is received and unreadable, one is stored unverified.
#[tokio::test]
async fn never_10_a_run_called_completed_with_a_token_missing() -> Result<()> {
    const APIS: [&str; 3] = ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"];
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    for (api, on, kind, params) in [
        (APIS[1], "exchange", "non_json", json!({})),
        (APIS[2], "profile", "status", json!({ "status": 500 })),
    ] {
        upstox
            .scenario(json!({ "scope": { "app": api }, "on": on, "kind": kind, "params": params }))
            .await?;
    }
    let ran = desk.vega(&[&["--yes", "--json"], &APIS[..]].concat()).await?;
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert_eq!(ran.json()?["run"]["state"], "incomplete", "{ran:?}");
    assert_eq!(ran.report()?.steps_in_state("done"), APIS[..1], "{ran:?}");
    assert_eq!(ran.report()?.steps_in_state("failed"), APIS[1..], "{ran:?}");
    assert!(!runs_ended(&desk).await?.contains("completed"));

    // Upstox recovers: the second is signed in for again with the operator's word, the third is only asked about.
    upstox.no_scenarios().await?;
    let ran = desk
        .vega(&[&["--yes", "--json", "--again", APIS[1]], &APIS[..]].concat())
        .await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.report()?.apis_with_status("valid"), APIS, "{ran:?}");
    assert!(runs_ended(&desk).await?.contains("completed"));
    Ok(())
}

/// How the audit trail tells the ends of runs.
async fn runs_ended(desk: &Desk) -> Result<String> {
    let told = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = told["entries"].as_array().context("entries")?;
    let ends = entries.iter().filter(|entry| entry["kind"] == "run_ended");
    Ok(ends.filter_map(|entry| entry["detail"].as_str()).collect())
}
