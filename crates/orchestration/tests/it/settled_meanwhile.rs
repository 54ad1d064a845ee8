//! Between the plan and an API's turn somebody else may settle its token: such a step is skipped.

use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::failure::FailureReason;
use vega_domain::run::RunState;

use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, Standing, steps};
use crate::sign_ins::Script;

#[rstest]
#[case::valid(Standing::Valid, "already_servable", RunState::Completed)]
#[case::never_verified(Standing::NeverVerified, "unknown", RunState::Incomplete)]
#[case::last_check_failed(Standing::LastCheckFailed, "unknown", RunState::Incomplete)]
#[tokio::test(start_paused = true)]
async fn a_token_that_was_settled_after_the_plan_is_not_signed_in_for(
    #[case] standing: Standing,
    #[case] reason: &str,
    #[case] end: RunState,
) {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = fixture.plan().await;
    fixture.has("PRIMARY", standing);
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        [format!("PRIMARY skipped {reason}"), "WEBSOCKET1 done".into()]
    );
    assert_eq!(fixture.log.take_only(&["sign in"]), ["sign in WEBSOCKET1"]);
    assert_eq!(run.state, end);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_settled_during_another_sign_in_is_skipped_in_its_turn() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let (database, token) = (
        fixture.database.clone(),
        fixture.token("WEBSOCKET1", Standing::Valid),
    );
    let settles = Script::Meanwhile(Box::new(move || database.put(token)));
    fixture.sign_ins.script("PRIMARY", settles);
    let run = fixture.run().await.unwrap();
    assert_eq!(
        steps(&run),
        ["PRIMARY done", "WEBSOCKET1 skipped already_servable"]
    );
    assert_eq!(run.state, RunState::Completed);
}

#[rstest]
#[case::expired(Standing::Expired)]
#[case::rejected(Standing::Rejected)]
#[tokio::test(start_paused = true)]
async fn a_token_that_is_dead_in_another_way_by_now_is_still_signed_in_for(#[case] standing: Standing) {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let plan = fixture.plan().await;
    fixture.has("PRIMARY", standing);
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(steps(&run), ["PRIMARY done"]);
}

/// Another process died past its press after this plan had been shown: nobody said yes to that.
#[tokio::test(start_paused = true)]
async fn an_unresolved_outcome_that_came_after_the_plan_is_no_sign_in() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = fixture.plan().await;
    fixture
        .failed("PRIMARY", FailureReason::InterruptedPastPress)
        .await;
    fixture.failed("WEBSOCKET1", FailureReason::BrowserGone).await;
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        ["PRIMARY failed interrupted_past_press", "WEBSOCKET1 done"]
    );
    assert_eq!(fixture.log.take_only(&["sign in"]), ["sign in WEBSOCKET1"]);
}

#[tokio::test(start_paused = true)]
async fn an_unresolved_outcome_that_the_plan_knew_was_said_yes_to() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.failed("PRIMARY", FailureReason::OutcomeUnknown).await;
    let run = fixture.run().await.unwrap();
    assert_eq!(steps(&run), ["PRIMARY done"]);
}

/// The yes was to what an earlier process had left. Another one died since, past a press of its own, and in the same words.
#[tokio::test(start_paused = true)]
async fn a_second_unresolved_outcome_in_the_same_words_was_not_said_yes_to() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let fails = async |api| fixture.failed(api, FailureReason::InterruptedPastPress).await;
    fails("PRIMARY").await;
    fails("WEBSOCKET1").await;
    let plan = fixture.plan().await;
    fails("PRIMARY").await;
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        ["PRIMARY failed interrupted_past_press", "WEBSOCKET1 done"]
    );
    assert_eq!(fixture.log.take_only(&["sign in"]), ["sign in WEBSOCKET1"]);
}

/// Another process asked Upstox, and the token of a step that is done is dead.
#[tokio::test(start_paused = true)]
async fn a_run_whose_token_died_meanwhile_is_not_completed() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let (database, token) = (
        fixture.database.clone(),
        fixture.token("PRIMARY", Standing::Rejected),
    );
    let dies = Script::Meanwhile(Box::new(move || database.put(token)));
    fixture.sign_ins.script("WEBSOCKET1", dies);
    let run = fixture.run().await.unwrap();
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 done"]);
    assert_eq!(run.state, RunState::Incomplete);
    let end = fixture.database.audit().pop().unwrap();
    assert_eq!(
        end.detail,
        "incomplete: 2 of 2 steps settled; not servable any more: PRIMARY"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_step_left_no_session_is_opened() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let plan = fixture.plan().await;
    fixture.has("PRIMARY", Standing::Valid);
    fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        fixture.log.take(),
        [
            "lease taken",
            "begin",
            "run running",
            "PRIMARY skipped already_servable",
            "run completed",
            "lease given back"
        ]
    );
}
