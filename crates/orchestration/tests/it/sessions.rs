//! One session per account and run: opened when the first sign-in needs it, never two at once, closed on every path.

use chrono::TimeDelta;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::ports::Clock;
use vega_domain::run::{RunState, StepState};
use vega_orchestration::{RunError, WaitPolicy};

use crate::orchestration_fixture::{OrchestrationFixture, Standing, steps};
use crate::sign_ins::Script;

#[tokio::test(start_paused = true)]
async fn a_run_is_one_strict_sequence_under_the_lease() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let run = fixture.run().await.unwrap();
    assert_eq!(
        fixture.log.take(),
        [
            "lease taken",
            "begin",
            "run running",
            "open main",
            "PRIMARY signing_in",
            "open_attempt PRIMARY",
            "sign in PRIMARY",
            "PRIMARY exchanging",
            "POST PRIMARY",
            "PRIMARY verifying",
            "store PRIMARY",
            "PRIMARY done",
            "WEBSOCKET1 signing_in",
            "open_attempt WEBSOCKET1",
            "sign in WEBSOCKET1",
            "WEBSOCKET1 exchanging",
            "POST WEBSOCKET1",
            "WEBSOCKET1 verifying",
            "store WEBSOCKET1",
            "WEBSOCKET1 done",
            "close main",
            "run completed",
            "lease given back",
        ]
    );
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(run.finished_at, Some(run.started_at));
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 done"]);
    assert_eq!(
        steps(&fixture.database.runs()[0]),
        steps(&run),
        "the report is what is on disk"
    );
}

#[tokio::test(start_paused = true)]
async fn two_accounts_have_two_sessions_one_after_the_other() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.run().await.unwrap();
    assert_eq!(
        fixture
            .log
            .take_only(&["open main", "open second", "sign in", "close"]),
        [
            "open main",
            "sign in PRIMARY",
            "sign in WEBSOCKET1",
            "sign in WEBSOCKET2",
            "close main",
            "open second",
            "sign in OPTIONCHAIN1",
            "sign in OPTIONCHAIN2",
            "close second",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_without_dead_tokens_gets_no_session() {
    let fixture = OrchestrationFixture::two_accounts();
    for api in ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"] {
        fixture.has(api, Standing::Valid);
    }
    fixture.run().await.unwrap();
    assert_eq!(
        fixture.log.take_only(&["open main", "open second"]),
        ["open second"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_open_fails_its_step_and_is_tried_once() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.fails("main", FailureReason::BrowserGone);
    let run = fixture.run().await.unwrap();
    assert_eq!(
        fixture.log.take_only(&["open main", "open second", "close"]),
        ["open main", "open second", "close second"]
    );
    assert_eq!(
        steps(&run)[..2],
        ["PRIMARY failed browser_gone", "WEBSOCKET1 pending"]
    );
    assert_eq!(run.state, RunState::Incomplete);
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_a_failed_api_of_its_account() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.fails("PRIMARY", FailureReason::CodeRejected);
    fixture.run().await.unwrap();
    assert_eq!(
        fixture.log.take_only(&["open main", "sign in", "close"]),
        ["open main", "sign in PRIMARY", "sign in WEBSOCKET1", "close main"]
    );
}

/// What the database refuses, and which step is left how in the report or on disk.
#[rstest]
#[case::before_the_sign_in("PRIMARY signing_in", "PRIMARY failed storage")]
#[case::attempt("open_attempt PRIMARY", "PRIMARY failed storage")]
#[case::before_the_post("PRIMARY exchanging", "PRIMARY failed storage")]
#[case::token("store PRIMARY", "PRIMARY failed storage")]
#[tokio::test(start_paused = true)]
async fn a_failing_database_ends_the_run_and_closes_the_session(#[case] fails_at: &str, #[case] step: &str) {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.faults.fail_at(fails_at);
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(run.state, RunState::Incomplete);
    assert_eq!(steps(&run)[..2], [step, "WEBSOCKET1 pending"]);
    let log = fixture.log.take();
    assert_eq!(
        log[log.len() - 4..],
        [
            "PRIMARY failed storage",
            "close main",
            "run incomplete",
            "lease given back"
        ]
    );
    assert!(!log.contains(&"open second".to_owned()));
}

/// A state that cannot be written down is an error of the run; the next start clears up.
#[rstest]
#[case::done("PRIMARY done")]
#[case::failed("PRIMARY failed throttled")]
#[tokio::test(start_paused = true)]
async fn a_step_whose_end_cannot_be_recorded_closes_the_session_and_frees_the_lease(#[case] fails_at: &str) {
    let fixture = OrchestrationFixture::two_accounts();
    if fails_at.contains("throttled") {
        fixture.fails("PRIMARY", FailureReason::Throttled);
    }
    let plan = fixture.plan().await;
    fixture.faults.fail_at(fails_at);
    let error = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::BrokeOff { .. }), "{error:?}");
    let mut log = fixture.log.take();
    log.retain(|effect| effect != "keep evidence of main");
    let fails = format!("{fails_at} fails");
    let closed = log.iter().position(|effect| effect == "close main").unwrap();
    assert_eq!(log[closed - 1], fails);
    assert_eq!(
        log[log.len() - 2..],
        [fails, "lease given back".into()],
        "the run is ended under the same lease, as far as the database takes it"
    );
    assert!(!fixture.sign_ins.is_a_session_open());
}

#[tokio::test(start_paused = true)]
async fn a_token_is_served_as_soon_as_it_is_there_whatever_follows() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let primary = fixture.accounts[0].apis[0].name.clone();
    let (registry, name) = (fixture.registry.clone(), primary.clone());
    let (seen, mut was_seen) = tokio::sync::oneshot::channel();
    let look = move || seen.send(registry.get(&name).is_some()).unwrap();
    fixture
        .sign_ins
        .script("WEBSOCKET1", Script::Meanwhile(Box::new(look)));
    fixture.run().await.unwrap();
    assert_eq!(was_seen.try_recv(), Ok(true));

    let events = fixture.events.0.lock().unwrap();
    let published = events
        .iter()
        .position(|event| matches!(event, Event::TokenPublished { api, .. } if *api == primary));
    let done = events.iter().position(
        |event| matches!(event, Event::StepChanged { api, state: StepState::Done, .. } if *api == primary),
    );
    assert!(published.unwrap() < done.unwrap());
    assert!(matches!(
        events.first(),
        Some(Event::RunStarted {
            open: 2,
            settled: 0,
            ..
        })
    ));
    assert!(matches!(
        events.last(),
        Some(Event::RunEnded {
            state: RunState::Completed,
            ..
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn every_step_entry_in_the_audit_trail_names_run_api_and_account() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.sign_ins.script(
        "OPTIONCHAIN1",
        Script::Fails(Failure::new(FailureReason::CodeRejected, "words of the page")),
    );
    let run = fixture.run().await.unwrap();
    let audit = fixture.database.audit();
    let of_kind = |code: &str| -> Vec<_> { audit.iter().filter(|entry| entry.kind.code() == code).collect() };
    let changes = of_kind("step_changed");
    assert_eq!(changes.len(), 4 * 4 + 2);
    for entry in &changes {
        assert_eq!(entry.run, Some(run.id), "{entry:?}");
        let step = run
            .steps
            .iter()
            .find(|step| Some(&step.api) == entry.api.as_ref())
            .unwrap();
        assert_eq!(entry.account.as_ref(), Some(&step.account), "{entry:?}");
    }
    assert!(
        changes
            .iter()
            .any(|entry| entry.detail == "failed: code_rejected: words of the page")
    );
    let started = of_kind("run_started");
    assert!(
        started[0].detail.contains("PRIMARY (missing)"),
        "{:?}",
        started[0]
    );
    let ended = of_kind("run_ended");
    assert_eq!((ended.len(), ended[0].run), (1, Some(run.id)));
    assert_eq!(
        fixture.database.checkpoints(),
        [(run.id, audit.len())],
        "after its last entry"
    );
    assert!(!format!("{audit:?} {run:?} {:?}", fixture.events.0.lock().unwrap()).contains("CANARY"));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_cannot_be_kept_fails_no_run() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.faults.fail_at("keep_checkpoint");
    let run = fixture.run().await.unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(fixture.database.checkpoints(), []);
}

/// A token of an API that nobody signs in for any more.
fn long_dead(fixture: &OrchestrationFixture) {
    let mut dead = fixture.token("PRIMARY", Standing::Expired);
    dead.api = ApiName::new("REMOVED").unwrap();
    dead.valid_until = fixture.clock.now() - TimeDelta::days(2);
    fixture.database.put(dead);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_erases_what_died_long_ago_before_the_checkpoint_is_kept() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.has("PRIMARY", Standing::Expired);
    long_dead(&fixture);
    fixture.broker.dates(Some(fixture.clock.now()));
    let run = fixture.run().await.unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(
        fixture.log.take_only(&["erase", "run completed"]),
        ["run completed", "erase_dead"]
    );
    assert!(fixture.database.token("REMOVED").is_none());
    assert!(fixture.database.token("PRIMARY").is_some());
    let audit = fixture.database.audit();
    assert_eq!(fixture.database.checkpoints(), [(run.id, audit.len())]);
}

/// This computer's clock was set ahead while the run went on: by it the token is long dead, by Upstox's it lives.
#[rstest]
#[case::upstox_is_behind(Some(TimeDelta::days(3)))]
#[case::upstox_does_not_tell(None)]
#[tokio::test(start_paused = true)]
async fn nothing_is_erased_by_this_computers_clock(#[case] behind: Option<TimeDelta>) {
    let fixture = OrchestrationFixture::two_accounts();
    long_dead(&fixture);
    let plan = fixture.plan().await;
    fixture
        .broker
        .dates(behind.map(|behind| fixture.clock.now() - behind));
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert!(fixture.database.token("REMOVED").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_erased_fails_no_run() {
    let fixture = OrchestrationFixture::two_accounts();
    long_dead(&fixture);
    fixture.broker.dates(Some(fixture.clock.now()));
    fixture.faults.fail_at("erase_dead");
    let run = fixture.run().await.unwrap();
    assert_eq!(run.state, RunState::Completed);
    assert!(fixture.database.token("REMOVED").is_some());
    assert_eq!(fixture.database.checkpoints().len(), 1);
}
