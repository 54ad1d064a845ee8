//! Cancelling a run: the session and the lease are given back, the run stays resumable, no token that is there is lost.

use tokio_util::sync::CancellationToken;
use vega_domain::run::RunState;

use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, end_of, steps};
use crate::sign_ins::Script;

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_human_signs_in_fails_the_step_and_ends_the_run() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.sign_ins.script("WEBSOCKET1", Script::Waits);
    let run = fixture.orchestrator().start(plan, WaitPolicy::NoWait);
    tokio::task::yield_now().await;
    assert!(fixture.sign_ins.is_a_session_open());
    run.cancel();
    let ended = end_of(&run).await.unwrap();
    assert_eq!(ended.state, RunState::Incomplete);
    assert_eq!(
        steps(&ended),
        [
            "PRIMARY done",
            "WEBSOCKET1 failed cancelled",
            "WEBSOCKET2 pending",
            "OPTIONCHAIN1 pending",
            "OPTIONCHAIN2 pending",
        ]
    );
    let log = fixture.log.take();
    assert_eq!(
        log[log.len() - 4..],
        [
            "WEBSOCKET1 failed cancelled",
            "close main",
            "run incomplete",
            "lease given back"
        ]
    );
    assert_eq!(fixture.database.open_attempts(), 0);
    assert_eq!(fixture.plan().await.apis().len(), 4, "what was made stays");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_browser_opens_ends_the_run() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.sign_ins.script("main", Script::Waits);
    let run = fixture.orchestrator().start(plan, WaitPolicy::NoWait);
    tokio::task::yield_now().await;
    run.cancel();
    let ended = end_of(&run).await.unwrap();
    assert_eq!(
        steps(&ended)[..2],
        ["PRIMARY failed cancelled", "WEBSOCKET1 pending"]
    );
    assert_eq!(ended.state, RunState::Incomplete);
    assert!(fixture.database.is_lease_free());
    assert!(fixture.log.take_only(&["sign in", "open_attempt"]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_first_step_opens_nothing() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ended = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap();
    assert_eq!(ended.state, RunState::Incomplete);
    assert!(steps(&ended).iter().all(|step| step.ends_with("pending")));
    assert_eq!(
        fixture.log.take(),
        ["lease taken", "begin", "run incomplete", "lease given back"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_with_the_code_brings_the_token_home_and_takes_no_other_api() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    let cancel = CancellationToken::new();
    let cancels = cancel.clone();
    fixture
        .sign_ins
        .script("PRIMARY", Script::Meanwhile(Box::new(move || cancels.cancel())));
    let ended = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap();
    assert_eq!(steps(&ended)[..2], ["PRIMARY done", "WEBSOCKET1 pending"]);
    assert_eq!(ended.state, RunState::Incomplete);
    assert!(fixture.registry.get(&fixture.accounts[0].apis[0].name).is_some());
    assert_eq!(
        fixture.log.take_only(&["sign in", "close"]),
        ["sign in PRIMARY", "close main"]
    );
}

/// `vega cancel` in another terminal.
#[tokio::test(start_paused = true)]
async fn another_process_can_end_the_run() {
    let fixture = OrchestrationFixture::two_accounts();
    let asked = fixture.orchestrator().runs().request_cancel().await.unwrap();
    assert_eq!(asked, None, "there is none");
    let plan = fixture.plan().await;
    fixture.sign_ins.script("WEBSOCKET1", Script::Waits);
    let run = fixture.orchestrator().start(plan, WaitPolicy::Wait);
    tokio::task::yield_now().await;
    let asked = fixture
        .orchestrator()
        .runs()
        .request_cancel()
        .await
        .unwrap()
        .unwrap();
    assert!(!fixture.orchestrator().has_ended(asked).await.unwrap());
    let ended = end_of(&run).await.unwrap();
    assert_eq!(ended.state, RunState::Cancelled);
    assert_eq!(
        steps(&ended)[..2],
        ["PRIMARY done", "WEBSOCKET1 failed cancelled"]
    );
    assert_eq!(ended.id, asked);
    assert!(fixture.database.is_lease_free() && !fixture.sign_ins.is_a_session_open());
    // Somebody who waits for that end does not wait for what is begun next.
    fixture.sign_ins.script("WEBSOCKET1", Script::Waits);
    let next = fixture
        .orchestrator()
        .start(fixture.plan().await, WaitPolicy::Wait);
    tokio::task::yield_now().await;
    assert!(fixture.orchestrator().has_ended(asked).await.unwrap());
    assert!(!next.is_over());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_can_be_ended_too() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", vega_domain::failure::FailureReason::Throttled);
    let plan = fixture.plan().await;
    let run = fixture.orchestrator().start(plan, WaitPolicy::Wait);
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    assert!(
        fixture
            .orchestrator()
            .runs()
            .request_cancel()
            .await
            .unwrap()
            .is_some()
    );
    let ended = end_of(&run).await.unwrap();
    assert_eq!(ended.state, RunState::Cancelled);
    assert_eq!(steps(&ended), ["PRIMARY failed throttled"]);
}
