//! What a run does about its spool, and about a database that fails when a token is done.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vega_domain::run::RunState;
use vega_orchestration::{RunError, WaitPolicy};

use crate::orchestration_fixture::{OrchestrationFixture, steps};

#[tokio::test(start_paused = true)]
async fn room_is_made_for_what_is_planned_before_the_run_begins() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = fixture.plan().await;
    fixture.run().await.unwrap();
    let planned = plan.apis().iter();
    let planned: Vec<String> = planned
        .map(|planned| format!("prepare {}", planned.api))
        .collect();
    assert_eq!(fixture.faults.spool.take_only(&["prepare"]), planned);
}

#[tokio::test(start_paused = true)]
async fn without_that_room_nobody_is_asked_for_an_otp() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let plan = fixture.plan().await;
    fixture.faults.spool_fails();
    let cancel = CancellationToken::new();
    let error = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Store(_)), "{error:?}");
    assert!(fixture.database.runs().is_empty());
    assert!(fixture.log.take_only(&["open", "sign in"]).is_empty());
    assert!(fixture.database.is_lease_free());
}

/// The disk is full for a moment, just when a token is there.
#[tokio::test(start_paused = true)]
async fn a_database_that_accepts_again_soon_does_not_end_the_run() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = fixture.plan().await;
    fixture.faults.fail_at("PRIMARY done");
    let resume = fixture.resume();
    let cancel = CancellationToken::new();
    let run = resume.execute(&plan, WaitPolicy::NoWait, &cancel);
    let heals = async {
        sleep(Duration::from_secs(3)).await;
        fixture.faults.heal();
    };
    let (run, ()) = tokio::join!(run, heals);
    let run = run.unwrap();
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 done"]);
    assert_eq!(run.state, RunState::Completed);
    assert!(
        fixture.faults.spool.take_only(&["import"]).len() > 1,
        "the token goes into its row first"
    );
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_for_good_ends_it_after_seconds() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.faults.fail_at("PRIMARY done");
    let began = Instant::now();
    let error = fixture.run().await.unwrap_err();
    assert!(matches!(error, RunError::BrokeOff { .. }), "{error:?}");
    assert_eq!(error.run(), fixture.database.runs().first().map(|run| run.id));
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_secs(10) && waited < Duration::from_secs(12),
        "{waited:?}"
    );
    let served = fixture.registry.get(&fixture.accounts[0].apis[0].name);
    assert!(served.is_some(), "the token can be used");
}
