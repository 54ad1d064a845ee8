//! Port: runs and their steps, as whoever runs them writes them down.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::ids::{ApiName, RunId};
use crate::run::{RunRecord, RunState, StepState};

/// Durable state of runs.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ExecutionStateRepository: Send + Sync {
    /// Stores a new run with its steps, in one commit with `audit`. MUST refuse with `Conflict` while another run is
    /// active (`one_run_is_active_at_most`).
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Takes an incomplete run up again with `run.steps`, in this order, in one commit with `audit`. MUST refuse with
    /// `Conflict` a run that is not incomplete, while another run is active, and a step that `StepState::may_become`
    /// refuses (`no_other_run_is_taken_up_and_no_step_is_bent`).
    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Stores where a step stands, in one commit with `audit`. MUST refuse with `Conflict` when the run is not active,
    /// a move that `StepState::may_become` refuses, and any move of a step that has come to its end
    /// (`a_step_moves_in_an_active_run_only`, `a_step_makes_no_move_that_the_domain_refuses`,
    /// `steps_of_an_ended_or_unknown_run_do_not_change`).
    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Moves a run to another state, in one commit with `audit`. MUST refuse with `Conflict` a move that
    /// `RunState::may_become` refuses (`a_run_makes_no_move_that_the_domain_refuses`).
    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Asks the process that holds the active run to end it, in one commit with an audit entry at `at`. Returns the run,
    /// if one is active; if not, nothing is written.
    async fn request_cancel(&self, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError>;

    /// Whether somebody asked that this run ends.
    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError>;
}
