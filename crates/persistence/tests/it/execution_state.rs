//! Runs and steps in SQLite: the database itself refuses moves, whoever writes into the file.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::ExecutionStateRepository;
use vega_domain::run::{RunState, SkipReason, StepState};

use crate::database_fixture::{DatabaseFixture, api, entry};

/// Whoever writes into the file, by whatever program: the database itself refuses the move.
#[tokio::test]
async fn every_move_of_a_run_that_the_domain_refuses_is_refused_by_the_database() {
    let fixture = DatabaseFixture::new().await;
    fixture.running(&["PRIMARY"]).await;
    let raw = fixture.raw().await;
    for from in RunState::ALL {
        for to in RunState::ALL {
            fixture
                .put_run_and_steps_in(from.as_str(), &StepState::Done)
                .await;
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
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let raw = fixture.raw().await;
    for from in every_step_state() {
        for to in every_step_state() {
            fixture.put_run_and_steps_in("running", &from).await;
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
            fixture.put_run_and_steps_in("running", &from).await;
            let saved = fixture
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
    let fixture = DatabaseFixture::new().await;
    fixture.running(&["PRIMARY"]).await;
    let raw = fixture.raw().await;
    for step in every_step_state() {
        fixture.put_run_and_steps_in("running", &step).await;
        let moved = sqlx::query("UPDATE execution_runs SET state = 'completed'")
            .execute(&raw)
            .await;
        assert_eq!(moved.is_ok(), step.is_settled(), "{step:?}: {moved:?}");
    }
}

#[tokio::test]
async fn a_step_moves_in_an_active_run_only() {
    let fixture = DatabaseFixture::new().await;
    fixture.running(&["PRIMARY"]).await;
    let raw = fixture.raw().await;
    for run in RunState::ALL {
        fixture
            .put_run_and_steps_in(run.as_str(), &StepState::Pending)
            .await;
        let moved = sqlx::query("UPDATE execution_steps SET state = 'signing_in'")
            .execute(&raw)
            .await;
        assert_eq!(moved.is_ok(), run.is_active(), "{run:?}: {moved:?}");
    }
}
