//! The run waits for an account that cannot go on, and then goes on by itself.

use anyhow::Result;
use rstest::rstest;
use serde_json::json;
use vega_tests::{Counts, Desk, Engine, Ran, Terminal, Upstox, until};

/// A session that spares no OTP: the sixth press has to wait until the first one has left the window.
#[rstest]
#[tokio::test]
async fn the_last_press_is_paced_by_the_budget(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?.over(engine);
    upstox.session_mode("otp").await?;
    upstox.otp_limit(6).await?;
    desk.set("VEGA__SIGN_IN__OTP_BUDGET", "5");
    desk.set("VEGA__SIGN_IN__OTP_WINDOW", "25s");

    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("is waiting for its OTP budget"), "{ran:?}");
    assert_eq!(ran.report()?.apis_with_status("valid").len(), 6, "{ran:?}");
    assert_eq!(
        upstox.counts().await?,
        Counts {
            otp_presses: 6,
            // The one that met the budget, and came again.
            dialogs_opened: 7,
            pin_entries: 6,
            ..Counts::of_a_good_run(6)
        }
    );
    Ok(())
}

/// Upstox refuses the sixth press: five tokens can be used at once, and after the cooldown the sixth alone is made.
#[rstest]
#[tokio::test]
async fn seed_2_2_immediate_cooldown_on_throttling(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?.over(engine);
    upstox.session_mode("otp").await?;
    desk.set("VEGA__SIGN_IN__OTP_BUDGET", "9");
    desk.set("VEGA__SIGN_IN__COOLDOWN", "12s");
    let vega = desk.start(&["--yes", "--json"])?;

    let cools_down = async || {
        let status = desk.vega(&["status", "--json"]).await.and_then(|ran| ran.json());
        status.is_ok_and(|status| status["accounts"][0]["cooldown"]["failure"]["reason"] == "throttled")
    };
    assert!(until(cools_down).await, "no cooldown is shown");
    let apps: Vec<&str> = upstox.apps().collect();
    for api in &apps[..5] {
        let token = desk.token(api).await?;
        assert_eq!(
            upstox.profile_status(&token).await?,
            200,
            "{api} can be used meanwhile"
        );
    }
    upstox.otp_limit(9).await?;

    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr
            .contains("is cooling down, because Upstox throttled the sign-in"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("The run goes on."), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.steps_in_state("done"), apps, "{report:?}");
    assert_eq!(ran.json()?["run"]["state"], "completed");
    let counters = upstox.counters().await?;
    assert_eq!(
        [
            &counters["otp_presses"],
            &counters["otp_refused"],
            &counters["tokens_issued"]
        ],
        [7, 1, 6],
        "{counters}"
    );
    Ok(())
}

/// Upstox throttles the token call itself: the code is spent and not sent again, the account cools down, and then its
/// sign-in is made anew.
#[tokio::test]
async fn a_throttled_token_call_cools_the_account_down_and_sends_no_code_again() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__COOLDOWN", "3s");
    let throttled =
        json!({ "scope": { "app": "WEBSOCKET2" }, "on": "exchange", "kind": "rate_limited", "times": 1 });
    upstox.scenario(throttled.clone()).await?;
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.apis_with_status("valid").len(), 6, "{report:?}");
    assert_eq!(ran.json()?["run"]["state"], "completed");
    let counters = upstox.counters().await?;
    assert_eq!(
        [&counters["tokens_issued"], &counters["max_exchanges_of_one_code"]],
        [6, 1],
        "{counters}"
    );

    // Nobody waits: the rest is left for the next run, which needs no clearing up.
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.scenario(throttled).await?;
    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("WEBSOCKET2")?, "throttled", "{report:?}");
    assert_eq!(ran.json()?["run"]["state"], "incomplete", "{ran:?}");
    let cleared = [
        "cooldown",
        "clear",
        "default",
        "--reason",
        "a test of the token call",
    ];
    assert_eq!(desk.vega(&cleared).await?.code, Some(0));
    let ran = desk.vega(&["--yes", "--no-wait", "--json"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(upstox.count("max_exchanges_of_one_code").await?, 1);
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_cooldown_is_shown_and_cleared_by_the_operators_word(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    upstox.otp_limit(0).await?;
    let ran = desk.vega(&["--yes", "--no-wait", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(4), "{ran:?}");

    let shown = desk.vega(&["cooldown"]).await?;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        shown.stdout.contains("Account default cools down until"),
        "{shown:?}"
    );
    let shown = desk.vega(&["cooldown", "--json"]).await?.json()?;
    assert_eq!(shown["closed"][0]["failure"]["reason"], "throttled", "{shown}");

    upstox.otp_limit(5).await?;
    let cleared = desk.vega(&[
        "cooldown",
        "clear",
        "default",
        "--reason",
        "Upstox says it is over",
    ]);
    let cleared = cleared.await?;
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    assert!(cleared.stderr.contains("No account is closed"), "{cleared:?}");
    let ran = desk.vega(&["--yes", "--no-wait", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Ok(())
}

/// Nobody was at the desk. The yes to the plan does not count for a second OTP: Vega asks again, at the terminal.
#[tokio::test]
async fn after_a_human_timeout_the_operator_is_asked_again() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "4s");
    desk.set("VEGA__SIGN_IN__COOLDOWN", "4s");
    upstox.human_at_the_desk(false).await?;
    let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal
        .wait_for("cooling down, because nobody entered the OTP in time")
        .await?;
    terminal.wait_for("goes on in 0:0").await?;
    terminal.wait_for("your yes is needed once more").await?;
    terminal.wait_for("Sign in for 1 API now?").await?;
    assert_eq!(
        upstox.count("otp_presses").await?,
        1,
        "nothing is pressed before the yes"
    );
    upstox.human_at_the_desk(true).await?;
    terminal.type_keys("y").await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    assert_eq!(upstox.count("otp_presses").await?, 2);
    Ok(())
}
