//! What each failure means for the other APIs and accounts of the run, for every reason there is.

use tokio_util::sync::CancellationToken;
use vega_domain::failure::{FailureReason, RecoveryAction};
use vega_domain::run::RunState;

use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, steps};

/// Who is still signed in for after PRIMARY failed.
fn goes_on(next: RecoveryAction) -> &'static [&'static str] {
    match next {
        RecoveryAction::StopApi
        | RecoveryAction::FailStep
        | RecoveryAction::AskBeforeAgain
        | RecoveryAction::VerifyLater => &["WEBSOCKET1", "OPTIONCHAIN1"],
        RecoveryAction::CoolDown
        | RecoveryAction::CoolDownThenAsk
        | RecoveryAction::WaitForBudget
        | RecoveryAction::RetryBeforePress
        | RecoveryAction::StopAccount
        | RecoveryAction::EndSession => &["OPTIONCHAIN1"],
        RecoveryAction::EndRun => &[],
    }
}

#[tokio::test(start_paused = true)]
async fn every_failure_stops_as_much_of_the_run_as_it_says_and_no_more() {
    for &reason in FailureReason::ALL {
        let fixture = OrchestrationFixture::of(&[
            ("main", &["PRIMARY", "WEBSOCKET1"]),
            ("second", &["OPTIONCHAIN1"]),
        ]);
        // Nothing is pressed in these sign-ins, so what may be tried again is.
        let tries = if reason.recovery_action() == RecoveryAction::RetryBeforePress {
            3
        } else {
            1
        };
        for _ in 0..tries {
            fixture.fails("PRIMARY", reason);
        }
        let plan = fixture.plan().await;
        let run = fixture
            .resume()
            .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
            .await
            .unwrap();

        let taken = goes_on(reason.recovery_action());
        let mut signed_in = vec!["sign in PRIMARY".to_owned(); tries];
        signed_in.extend(taken.iter().map(|api| format!("sign in {api}")));
        let mut expected = vec![format!("PRIMARY failed {reason}")];
        for api in ["WEBSOCKET1", "OPTIONCHAIN1"] {
            let state = if taken.contains(&api) { "done" } else { "pending" };
            expected.push(format!("{api} {state}"));
        }
        assert_eq!(steps(&run), expected, "{reason}");
        assert_eq!(fixture.log.take_only(&["sign in"]), signed_in, "{reason}");
        assert_eq!(run.state, RunState::Incomplete, "{reason}");
        assert!(
            fixture.database.is_lease_free() && !fixture.sign_ins.is_a_session_open(),
            "{reason}"
        );
    }
}

/// The same when it is the opening of the session that fails.
#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_open_stops_as_much_as_its_failure_says() {
    for &reason in FailureReason::ALL {
        let fixture = OrchestrationFixture::of(&[
            ("main", &["PRIMARY", "WEBSOCKET1"]),
            ("second", &["OPTIONCHAIN1"]),
        ]);
        fixture.fails("main", reason);
        let run = fixture.run().await.unwrap();
        let signed_in: Vec<_> = goes_on(reason.recovery_action())
            .iter()
            .map(|api| format!("sign in {api}"))
            .collect();
        assert_eq!(fixture.log.take_only(&["sign in"]), signed_in, "{reason}");
        assert_eq!(run.state, RunState::Incomplete, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_completed_only_with_every_step_done() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.fails("OPTIONCHAIN2", FailureReason::PageChanged);
    let run = fixture.run().await.unwrap();
    assert_eq!(run.state, RunState::Incomplete, "four of five are done");

    let run = fixture.run().await.unwrap();
    assert_eq!(
        steps(&run),
        [
            "PRIMARY done",
            "WEBSOCKET1 done",
            "WEBSOCKET2 done",
            "OPTIONCHAIN1 done",
            "OPTIONCHAIN2 done"
        ],
        "the run goes on with what is still missing"
    );
    assert_eq!(run.state, RunState::Completed);
    let states: Vec<_> = fixture.database.runs().iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Completed], "it is one run");
    let signed_in = fixture.log.take_only(&["sign in"]);
    assert_eq!(signed_in, ["sign in OPTIONCHAIN2"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_verified_does_not_complete_a_run() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.broker.is_unreachable_for("PRIMARY");
    let run = fixture.run().await.unwrap();
    assert_eq!(steps(&run), ["PRIMARY failed unverified", "WEBSOCKET1 done"]);
    assert_eq!(run.state, RunState::Incomplete);
    assert!(fixture.database.token("PRIMARY").is_some(), "it is kept");
    assert!(
        fixture.registry.get(&fixture.accounts[0].apis[0].name).is_none(),
        "and served to nobody"
    );
}
