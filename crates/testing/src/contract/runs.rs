//! The contracts of `ExecutionStateRepository` and `RunHistory`, but for how sign-ins failed.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::RunId;
use vega_domain::run::{RunState, SkipReason, StepState};

use super::contract_fixture::{ContractFixture, is_conflict};
use super::installation::Installation;
use crate::builders::{at, entry, entry_at, run, run_at};

pub async fn a_run_and_its_steps_read_back_in_order<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let mut begun = run(&["WEBSOCKET1", "PRIMARY"]);
    fixture.begins(&begun).await;
    let failed = StepState::Failed(Failure::new(FailureReason::Throttled, "the page's words"));
    fixture.save(begun.id, "PRIMARY", &failed).await;

    begun.steps[1].state = failed;
    let again = fixture.elsewhere().await.run_history;
    for found in [
        fixture.run_history.active().await,
        again.find(begun.id).await,
        again.newest().await,
    ] {
        let found = found.unwrap().unwrap();
        assert_eq!(
            (found.id, found.state, found.started_at, found.finished_at),
            (begun.id, RunState::Running, at(0), None)
        );
        assert_eq!(found.steps, begun.steps);
    }
    assert_eq!(
        fixture.audit_kinds().await,
        [AuditKind::RunStarted, AuditKind::StepChanged]
    );
}

pub async fn one_run_is_active_at_most<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let first = fixture.running(&["PRIMARY"]).await;
    let second = run_at(&["PRIMARY"], 1);
    let begin = async || fixture.runs.begin(&second, &entry(AuditKind::RunStarted)).await;
    is_conflict(&begin().await);
    assert!(fixture.run_history.find(second.id).await.unwrap().is_none());
    fixture.end(first, RunState::Incomplete).await;
    begin().await.unwrap();
}

impl<I: Installation> ContractFixture<I> {
    /// A run that came to this state after its step had gone this way.
    async fn run_in(&self, state: RunState, step: &[StepState]) -> RunId {
        let mut begun = run(&["PRIMARY"]);
        if state == RunState::Planned {
            begun.state = state;
            self.begins(&begun).await;
            return begun.id;
        }
        self.begins(&begun).await;
        for step in step {
            self.save(begun.id, "PRIMARY", step).await;
        }
        if state != RunState::Running {
            self.end(begun.id, state).await;
        }
        begun.id
    }
}

pub async fn a_run_makes_no_move_that_the_domain_refuses<I: Installation>() {
    for from in RunState::ALL {
        for to in RunState::ALL {
            let fixture = ContractFixture::<I>::new().await;
            let id = fixture
                .run_in(from, &[StepState::SigningIn, StepState::Done])
                .await;
            let before = fixture.audit().await.len();
            let moved = fixture.moves(id, to).await;
            assert_eq!(
                moved.is_ok(),
                from.may_become(to),
                "{from:?} -> {to:?}: {moved:?}"
            );
            if moved.is_err() {
                is_conflict(&moved);
            }
            let stored = fixture.run_history.find(id).await.unwrap().unwrap().state;
            assert_eq!(stored, if moved.is_ok() { to } else { from });
            let written = fixture.audit().await.len() - before;
            assert_eq!(written, usize::from(moved.is_ok()), "{from:?} -> {to:?}");
        }
    }
}

/// Every state of a step with the way to it.
fn step_states() -> Vec<Vec<StepState>> {
    let failed = StepState::Failed(Failure::new(FailureReason::Throttled, "words"));
    let (signing_in, exchanging) = (StepState::SigningIn, StepState::Exchanging);
    vec![
        vec![StepState::Pending],
        vec![signing_in.clone()],
        vec![signing_in.clone(), exchanging.clone()],
        vec![signing_in.clone(), exchanging, StepState::Verifying],
        vec![signing_in, StepState::Done],
        vec![failed],
        vec![StepState::Skipped(SkipReason::CoolingDown)],
        vec![StepState::Skipped(SkipReason::AlreadyServable)],
    ]
}

pub async fn a_step_makes_no_move_that_the_domain_refuses<I: Installation>() {
    for way in step_states() {
        let from = way.last().unwrap();
        for to in step_states() {
            let to = to.last().unwrap();
            let fixture = ContractFixture::<I>::new().await;
            let id = fixture.running(&["PRIMARY"]).await;
            for state in way.iter().filter(|state| **state != StepState::Pending) {
                fixture.save(id, "PRIMARY", state).await;
            }
            let saved = fixture.save_at(id, "PRIMARY", to, 5).await;
            // Within a run an end is an end.
            let may = from.may_become(to) && !from.is_final();
            assert_eq!(saved.is_ok(), may, "{from:?} -> {to:?}: {saved:?}");
            if saved.is_err() {
                is_conflict(&saved);
            }
            let stored = fixture.run_history.active().await.unwrap().unwrap();
            assert_eq!(&stored.steps[0].state, if may { to } else { from });
        }
    }
}

pub async fn a_step_moves_in_an_active_run_only<I: Installation>() {
    for run in RunState::ALL {
        let fixture = ContractFixture::<I>::new().await;
        // No run is completed with a step that lies open, and no run goes on with one that is done.
        let (step, to): (&[StepState], _) = match run {
            RunState::Completed => (&[StepState::SigningIn, StepState::Done], StepState::Pending),
            _ => (&[], StepState::SigningIn),
        };
        let id = fixture.run_in(run, step).await;
        let saved = fixture.save_at(id, "PRIMARY", &to, 5).await;
        assert_eq!(saved.is_ok(), run.is_active(), "{run:?}: {saved:?}");
        if saved.is_err() {
            is_conflict(&saved);
        }
    }
}

pub async fn an_incomplete_run_is_taken_up_with_its_steps_in_a_new_order<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    let failed = StepState::Failed(Failure::new(FailureReason::BrowserGone, "words"));
    fixture.save(id, "PRIMARY", &failed).await;
    assert_eq!(fixture.runs.request_cancel(at(1)).await.unwrap(), Some(id));
    fixture.end(id, RunState::Incomplete).await;

    let left = fixture.run_history.incomplete().await.unwrap();
    assert_eq!((left.len(), left[0].id, left[0].steps.len()), (1, id, 3));
    let mut wanted = left[0].clone();
    wanted.steps.rotate_left(1);
    wanted.steps[2].state = StepState::Pending;
    wanted.steps[0].state = StepState::Skipped(SkipReason::AlreadyServable);
    wanted.steps.extend(run(&["OPTIONCHAIN1"]).steps);
    let audit = entry_at(AuditKind::RunTakenUp, 90);
    fixture.runs.take_up(&wanted, &audit).await.unwrap();

    let active = fixture.run_history.active().await.unwrap().unwrap();
    assert_eq!((active.id, active.state), (id, RunState::Running));
    assert_eq!((active.started_at, active.finished_at), (at(0), None));
    assert_eq!(active.steps, wanted.steps);
    assert!(fixture.run_history.incomplete().await.unwrap().is_empty());
    assert!(
        !fixture.runs.is_cancel_requested(id).await.unwrap(),
        "that was about the time before"
    );
    assert_eq!(fixture.audit_kinds().await.last(), Some(&AuditKind::RunTakenUp));

    fixture.save(id, "PRIMARY", &failed).await;
    let failures = fixture.run_history.last_failures().await.unwrap();
    assert_eq!(
        failures[0].run_began,
        at(90),
        "evidence of before explains nothing now"
    );
}

pub async fn no_other_run_is_taken_up_and_no_step_is_bent<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY"]).await;
    let taken = entry(AuditKind::RunTakenUp);
    let mut record = fixture.run_history.active().await.unwrap().unwrap();
    is_conflict(&fixture.runs.take_up(&record, &taken).await);
    fixture.end(id, RunState::Incomplete).await;

    record.steps[0].state = StepState::Verifying;
    is_conflict(&fixture.runs.take_up(&record, &taken).await);
    assert_eq!(
        fixture.run_history.incomplete().await.unwrap().len(),
        1,
        "nothing was changed"
    );

    let other = run_at(&["PRIMARY"], 1);
    fixture.begins(&other).await;
    record.steps[0].state = StepState::Pending;
    is_conflict(&fixture.runs.take_up(&record, &taken).await);
    fixture.end(other.id, RunState::Incomplete).await;
    let newest = fixture.run_history.incomplete().await.unwrap();
    let newest: Vec<_> = newest.iter().map(|run| run.id).collect();
    assert_eq!(newest, [other.id, id]);
    fixture.runs.take_up(&record, &taken).await.unwrap();
}

pub async fn steps_of_an_ended_or_unknown_run_do_not_change<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY"]).await;
    let save = async |run, name| fixture.save_at(run, name, &StepState::SigningIn, 5).await;
    is_conflict(&save(id, "OTHER").await);
    is_conflict(&save(RunId::at(at(9)), "PRIMARY").await);
    fixture.end(id, RunState::Cancelled).await;
    is_conflict(&save(id, "PRIMARY").await);
    assert!(fixture.run_history.active().await.unwrap().is_none());
}

pub async fn an_active_run_can_be_asked_to_end_and_no_other<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    assert_eq!(fixture.runs.request_cancel(at(1)).await.unwrap(), None);
    let id = fixture.running(&["PRIMARY"]).await;
    assert!(!fixture.runs.is_cancel_requested(id).await.unwrap());
    assert_eq!(fixture.runs.request_cancel(at(2)).await.unwrap(), Some(id));
    assert!(fixture.runs.is_cancel_requested(id).await.unwrap());
    fixture.end(id, RunState::Cancelled).await;
    assert_eq!(fixture.runs.request_cancel(at(3)).await.unwrap(), None);
    assert_eq!(fixture.count(AuditKind::CancelRequested).await, 1);
}
