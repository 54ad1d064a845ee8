//! `ExecutionStateRepository` over SQLite.

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::RunId;
use vega_domain::ports::{ExecutionStateRepository, StoreError};
use vega_domain::run::{RunState, SkipReason, StepState};

use crate::world::{World, api, at, entry, run};

#[tokio::test]
async fn a_run_and_its_steps_read_back_in_order() {
    let world = World::new().await;
    let id = world.running(&["WEBSOCKET1", "PRIMARY"]).await;
    let failed = StepState::Failed(Failure::new(FailureReason::Throttled, "the page's words"));
    world
        .runs
        .save_step(id, &api("PRIMARY"), &failed, &entry(AuditKind::StepChanged))
        .await
        .unwrap();

    let active = world.runs.active().await.unwrap().unwrap();
    assert_eq!(
        (active.id, active.state, active.started_at),
        (id, RunState::Running, at(0))
    );
    let steps: Vec<_> = active
        .steps
        .into_iter()
        .map(|step| (step.api.to_string(), step.state))
        .collect();
    assert_eq!(
        steps,
        [
            ("WEBSOCKET1".into(), StepState::Pending),
            ("PRIMARY".into(), failed)
        ]
    );
    assert_eq!(world.audit_kinds().await, ["run_started", "step_changed"]);
}

#[tokio::test]
async fn one_run_is_active_at_most() {
    let world = World::new().await;
    let first = world.running(&["PRIMARY"]).await;
    let refused = world
        .runs
        .begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    world
        .runs
        .move_run(first, RunState::Incomplete, &entry(AuditKind::RunEnded))
        .await
        .unwrap();
    world
        .runs
        .begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
        .await
        .unwrap();
}

#[tokio::test]
async fn every_move_that_the_domain_refuses_is_refused_here() {
    for from in RunState::ALL {
        for to in RunState::ALL {
            let world = World::new().await;
            let id = world.running(&["PRIMARY"]).await;
            world.put_run_and_steps_in(from.as_str(), &StepState::Done).await;
            let moved = world.runs.move_run(id, to, &entry(AuditKind::RunEnded)).await;
            assert_eq!(
                moved.is_ok(),
                from.may_become(to),
                "{from:?} -> {to:?}: {moved:?}"
            );
            let stored: String = sqlx::query_scalar("SELECT state FROM execution_runs")
                .fetch_one(&world.raw().await)
                .await
                .unwrap();
            assert_eq!(stored, if moved.is_ok() { to.as_str() } else { from.as_str() });
            let audited = world.audit_kinds().await.contains(&"run_ended".to_owned());
            assert_eq!(audited, moved.is_ok());
        }
    }
}

/// Whoever writes into the file, by whatever program: the database itself refuses the move.
#[tokio::test]
async fn every_move_of_a_run_that_the_domain_refuses_is_refused_by_the_database() {
    let world = World::new().await;
    world.running(&["PRIMARY"]).await;
    let raw = world.raw().await;
    for from in RunState::ALL {
        for to in RunState::ALL {
            world.put_run_and_steps_in(from.as_str(), &StepState::Done).await;
            let moved = sqlx::query("UPDATE execution_runs SET state = $1")
                .bind(to.as_str())
                .execute(&raw)
                .await;
            assert_eq!(
                moved.is_ok(),
                from.may_become(to),
                "{from:?} -> {to:?}: {moved:?}"
            );
        }
    }
}

fn every_step_state() -> Vec<StepState> {
    vec![
        StepState::Pending,
        StepState::SigningIn,
        StepState::Exchanging,
        StepState::Verifying,
        StepState::Done,
        StepState::Failed(Failure::new(FailureReason::Throttled, "words")),
        StepState::Skipped(SkipReason::CoolingDown),
        StepState::Skipped(SkipReason::AlreadyServable),
    ]
}

#[tokio::test]
async fn every_move_of_a_step_that_the_domain_refuses_is_refused_by_the_database() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let raw = world.raw().await;
    for from in every_step_state() {
        for to in every_step_state() {
            world.put_run_and_steps_in("running", &from).await;
            let moved = sqlx::query("UPDATE execution_steps SET state = $1, reason = $2")
                .bind(to.as_str())
                .bind(to.reason().0)
                .execute(&raw)
                .await;
            assert_eq!(
                moved.is_ok(),
                from.may_become(&to),
                "{from:?} -> {to:?}: {moved:?}"
            );
            // Within a run an end is an end.
            world.put_run_and_steps_in("running", &from).await;
            let saved = world
                .runs
                .save_step(run, &api("PRIMARY"), &to, &entry(AuditKind::StepChanged))
                .await;
            assert_eq!(
                saved.is_ok(),
                from.may_become(&to) && !from.is_final(),
                "{from:?} -> {to:?}: {saved:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_with_a_token_missing_is_not_called_completed_by_the_database() {
    let world = World::new().await;
    world.running(&["PRIMARY"]).await;
    let raw = world.raw().await;
    for step in every_step_state() {
        world.put_run_and_steps_in("running", &step).await;
        let moved = sqlx::query("UPDATE execution_runs SET state = 'completed'")
            .execute(&raw)
            .await;
        assert_eq!(moved.is_ok(), step.is_settled(), "{step:?}: {moved:?}");
    }
}

#[tokio::test]
async fn a_step_moves_in_an_active_run_only() {
    let world = World::new().await;
    world.running(&["PRIMARY"]).await;
    let raw = world.raw().await;
    for run in RunState::ALL {
        world
            .put_run_and_steps_in(run.as_str(), &StepState::Pending)
            .await;
        let moved = sqlx::query("UPDATE execution_steps SET state = 'signing_in'")
            .execute(&raw)
            .await;
        assert_eq!(moved.is_ok(), run.is_active(), "{run:?}: {moved:?}");
    }
}

#[tokio::test]
async fn an_incomplete_run_is_taken_up_with_its_steps_in_a_new_order() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    let failed = StepState::Failed(Failure::new(FailureReason::BrowserGone, "words"));
    world.save(id, "PRIMARY", &failed).await;
    assert_eq!(world.runs.request_cancel(at(1)).await.unwrap(), Some(id));
    world.end(id, RunState::Incomplete).await;

    let left = world.runs.incomplete().await.unwrap();
    assert_eq!((left.len(), left[0].id, left[0].steps.len()), (1, id, 3));
    let mut wanted = left[0].clone();
    wanted.steps.rotate_left(1);
    wanted.steps[2].state = StepState::Pending;
    wanted.steps[0].state = StepState::Skipped(SkipReason::AlreadyServable);
    let more = run(&["OPTIONCHAIN1"]).steps;
    wanted.steps.extend(more);
    let audit = AuditEntry::new(at(90), AuditKind::RunTakenUp, "");
    world.runs.take_up(&wanted, &audit).await.unwrap();

    let active = world.runs.active().await.unwrap().unwrap();
    assert_eq!((active.id, active.state), (id, RunState::Running));
    assert_eq!((active.started_at, active.finished_at), (at(0), None));
    assert_eq!(active.steps, wanted.steps);
    assert!(world.runs.incomplete().await.unwrap().is_empty());
    assert!(
        !world.runs.is_cancel_requested(id).await.unwrap(),
        "that was about the time before"
    );
    assert_eq!(world.audit_kinds().await.last().unwrap(), "run_taken_up");

    world.save(id, "PRIMARY", &failed).await;
    let failures = world.runs.last_failures().await.unwrap();
    assert_eq!(
        failures[0].run_began,
        at(90),
        "evidence of before explains nothing now"
    );
}

#[tokio::test]
async fn no_other_run_is_taken_up_and_no_step_is_bent() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY"]).await;
    let taken = entry(AuditKind::RunTakenUp);
    let mut record = world.runs.active().await.unwrap().unwrap();
    let refused = |outcome| assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    refused(world.runs.take_up(&record, &taken).await);
    world.end(id, RunState::Incomplete).await;

    record.steps[0].state = StepState::Verifying;
    refused(world.runs.take_up(&record, &taken).await);
    assert_eq!(
        world.runs.incomplete().await.unwrap().len(),
        1,
        "nothing was changed"
    );

    let mut other = run(&["PRIMARY"]);
    other.id = RunId::at(at(1));
    world
        .runs
        .begin(&other, &entry(AuditKind::RunStarted))
        .await
        .unwrap();
    record.steps[0].state = StepState::Pending;
    refused(world.runs.take_up(&record, &taken).await);
    world.end(other.id, RunState::Incomplete).await;
    let newest = world.runs.incomplete().await.unwrap();
    assert_eq!(
        newest.iter().map(|run| run.id).collect::<Vec<_>>(),
        [other.id, id]
    );
    world.runs.take_up(&record, &taken).await.unwrap();
}

#[tokio::test]
async fn steps_of_an_ended_or_unknown_run_do_not_change() {
    let world = World::new().await;
    let id = world.running(&["PRIMARY"]).await;
    let save = async |run, name| {
        world
            .runs
            .save_step(run, &api(name), &StepState::Done, &entry(AuditKind::StepChanged))
            .await
    };
    assert!(matches!(save(id, "OTHER").await, Err(StoreError::Conflict(_))));
    assert!(matches!(
        save(RunId::at(at(9)), "PRIMARY").await,
        Err(StoreError::Conflict(_))
    ));
    world
        .runs
        .move_run(id, RunState::Cancelled, &entry(AuditKind::RunEnded))
        .await
        .unwrap();
    assert!(matches!(save(id, "PRIMARY").await, Err(StoreError::Conflict(_))));
    assert!(world.runs.active().await.unwrap().is_none());
}

#[tokio::test]
async fn an_active_run_can_be_asked_to_end_and_no_other() {
    let world = World::new().await;
    assert_eq!(world.runs.request_cancel(at(1)).await.unwrap(), None);
    let id = world.running(&["PRIMARY"]).await;
    assert!(!world.runs.is_cancel_requested(id).await.unwrap());
    assert_eq!(world.runs.request_cancel(at(2)).await.unwrap(), Some(id));
    assert!(world.runs.is_cancel_requested(id).await.unwrap());
    let ended = entry(AuditKind::RunEnded);
    world
        .runs
        .move_run(id, RunState::Cancelled, &ended)
        .await
        .unwrap();
    assert_eq!(world.runs.request_cancel(at(3)).await.unwrap(), None);
    let asked = world.audit_kinds().await;
    assert_eq!(asked.iter().filter(|kind| *kind == "cancel_requested").count(), 1);
}
