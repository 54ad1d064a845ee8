//! How the last sign-in of each API failed, over SQLite: by a step or by an attempt, whatever the clock said meanwhile.

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::RunId;
use vega_domain::ports::{ExecutionStateRepository, SignInJournal, UpstoxTokenRepository};
use vega_domain::run::{RunState, StepState};

use crate::world::{World, api, at, entry, run, token};

#[tokio::test]
async fn the_last_failure_is_the_newest_ends_and_a_later_token_settles_it() {
    let world = World::new().await;
    let fail = async |run, name: &str, reason, seconds| {
        let state = StepState::Failed(Failure::new(reason, "words"));
        let audit = AuditEntry::new(at(seconds), AuditKind::StepChanged, "");
        world
            .runs
            .save_step(run, &api(name), &state, &audit)
            .await
            .unwrap();
    };
    let end = async |run| {
        world
            .runs
            .move_run(run, RunState::Incomplete, &entry(AuditKind::RunEnded))
            .await
            .unwrap();
    };
    let first = world.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    fail(first, "PRIMARY", FailureReason::Network, -100).await;
    fail(first, "WEBSOCKET1", FailureReason::Network, -100).await;
    fail(first, "WEBSOCKET2", FailureReason::BrowserGone, -100).await;
    end(first).await;
    // Run ids of one instant are told apart by chance alone, so the second run begins a second later.
    let mut second = run(&["PRIMARY", "WEBSOCKET1"]);
    second.id = RunId::at(at(1));
    world
        .runs
        .begin(&second, &entry(AuditKind::RunStarted))
        .await
        .unwrap();
    fail(second.id, "PRIMARY", FailureReason::Throttled, -50).await;
    let attempt = world.answered(second.id, "WEBSOCKET1", 1).await;
    world
        .tokens
        .store(&token(attempt, "WEBSOCKET1", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();

    let failures: Vec<_> = world
        .runs
        .last_failures()
        .await
        .unwrap()
        .into_iter()
        .map(|last| {
            (
                last.api.to_string(),
                last.run_began,
                last.stored,
                last.failure.reason,
            )
        })
        .collect();
    assert_eq!(
        failures,
        [
            (
                "PRIMARY".into(),
                second.started_at,
                at(-50),
                FailureReason::Throttled
            ),
            ("WEBSOCKET2".into(), at(0), at(-100), FailureReason::BrowserGone)
        ]
    );
}

/// Its run is over, and the start that clears up closes what was left of the sign-in.
#[tokio::test]
async fn an_attempt_that_is_closed_after_its_step_tells_how_the_sign_in_failed() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY"]).await;
    let attempt = world.answered(id, "PRIMARY", 1).await;
    let storage = StepState::Failed(Failure::new(FailureReason::Storage, "the disk is full"));
    world.save(id, "PRIMARY", &storage).await;
    world.end(id, RunState::Incomplete).await;
    let lost = Failure::new(FailureReason::OutcomeUnknown, "words");
    world
        .journal
        .close(attempt, &lost, at(9), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
    let told = world.runs.last_failures().await.unwrap().remove(0);
    assert_eq!((told.stored, told.failure), (at(9), lost));

    // And so it does while the step lies open again.
    let mut taken_up = run(&["PRIMARY"]);
    taken_up.id = id;
    let audit = AuditEntry::new(at(10), AuditKind::RunTakenUp, "");
    world.runs.take_up(&taken_up, &audit).await.unwrap();
    let told = world.runs.last_failures().await.unwrap().remove(0);
    assert_eq!(told.failure.reason, FailureReason::OutcomeUnknown);
}

/// Two doubts may be in the same words, and the clock may be set back between them.
#[tokio::test]
async fn a_failure_is_told_with_the_attempt_that_ended_last() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY"]).await;
    let lost = Failure::new(FailureReason::OutcomeUnknown, "words");
    let close = async |attempt, seconds| {
        let audit = entry(AuditKind::AttemptClosed);
        let closed = world.journal.close(attempt, &lost, at(seconds), &audit);
        closed.await.unwrap();
    };
    let told = async || world.runs.last_failures().await.unwrap().remove(0);
    let first = world.answered(id, "PRIMARY", 1).await;
    close(first, 9).await;
    assert_eq!(told().await.attempt, Some(first));
    let second = world.answered(id, "PRIMARY", 1).await;
    assert_eq!(told().await.attempt, Some(first), "the other one goes on");
    close(second, 8).await;
    let told = told().await;
    assert_eq!((told.failure, told.attempt), (lost.clone(), Some(second)));
}

/// The clock was set back between a failure in another run and the attempt that left a doubt.
#[tokio::test]
async fn a_doubt_that_the_last_attempt_left_is_not_hidden_by_what_the_clock_calls_later() {
    let world = World::new().await;
    let first = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let throttled = StepState::Failed(Failure::new(FailureReason::Throttled, "words"));
    let later = AuditEntry::new(at(7200), AuditKind::StepChanged, "");
    for state in [&StepState::SigningIn, &throttled] {
        world
            .runs
            .save_step(first, &api("PRIMARY"), state, &later)
            .await
            .unwrap();
    }
    world.end(first, RunState::Incomplete).await;
    let mut second = run(&["PRIMARY"]);
    second.id = RunId::at(at(1));
    let audit = entry(AuditKind::RunStarted);
    world.runs.begin(&second, &audit).await.unwrap();
    let attempt = world.answered(second.id, "PRIMARY", 1).await;
    let doubt = Failure::new(FailureReason::InterruptedPastPress, "");
    world
        .journal
        .close(attempt, &doubt, at(9), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
    let told = world.runs.last_failures().await.unwrap().remove(0);
    assert_eq!((told.failure, told.stored), (doubt, at(9)));
    // A later failure that is none goes by the clock again.
    let attempt = world.answered(second.id, "PRIMARY", 1).await;
    let gone = Failure::new(FailureReason::BrowserGone, "");
    world
        .journal
        .close(attempt, &gone, at(10), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
    let told = world.runs.last_failures().await.unwrap().remove(0);
    assert_eq!(told.failure.reason, FailureReason::Throttled);
}

/// The clock ran ahead when the older token was verified.
#[tokio::test]
async fn a_token_of_an_earlier_sign_in_settles_no_failure() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY"]).await;
    let stored = world.answered(id, "PRIMARY", 1).await;
    let mut older = token(stored, "PRIMARY", 1);
    older.token.verified_at = Some(at(7200));
    let audit = entry(AuditKind::TokenStored);
    world.tokens.store(&older, &audit).await.unwrap();
    let attempt = world.answered(id, "PRIMARY", 2).await;
    let lost = Failure::new(FailureReason::OutcomeUnknown, "words");
    world
        .journal
        .close(attempt, &lost, at(9), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
    assert_eq!(world.runs.last_failures().await.unwrap().remove(0).failure, lost);
    // One that came after it does.
    let stored = world.answered(id, "PRIMARY", 2).await;
    let mut newer = token(stored, "PRIMARY", 2);
    newer.token.verified_at = Some(at(10));
    world.tokens.store(&newer, &audit).await.unwrap();
    assert_eq!(world.runs.last_failures().await.unwrap(), []);
}

/// A forced run is another one, and the open run is taken up after it.
#[tokio::test]
async fn the_step_that_ended_last_tells_and_not_the_run_that_began_last() {
    let world = World::new().await;
    let first = world.running(&["PRIMARY"]).await;
    world.end(first, RunState::Incomplete).await;
    let mut second = run(&["PRIMARY"]);
    second.id = RunId::at(at(1));
    world
        .runs
        .begin(&second, &entry(AuditKind::RunStarted))
        .await
        .unwrap();
    let save = async |run, state: StepState, seconds| {
        let audit = AuditEntry::new(at(seconds), AuditKind::StepChanged, "");
        world
            .runs
            .save_step(run, &api("PRIMARY"), &state, &audit)
            .await
            .unwrap();
    };
    save(second.id, StepState::SigningIn, 2).await;
    save(second.id, StepState::Done, 3).await;
    world.end(second.id, RunState::Completed).await;
    let mut taken_up = run(&["PRIMARY"]);
    taken_up.id = first;
    let audit = AuditEntry::new(at(4), AuditKind::RunTakenUp, "");
    world.runs.take_up(&taken_up, &audit).await.unwrap();
    let lost = Failure::new(FailureReason::OutcomeUnknown, "words");
    save(first, StepState::Failed(lost.clone()), 5).await;
    assert_eq!(world.runs.last_failures().await.unwrap().remove(0).failure, lost);
}
