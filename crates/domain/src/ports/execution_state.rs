//! Port: runs and their steps.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::failure::Failure;
use crate::ids::{ApiName, RunId};
use crate::run::{RunRecord, RunState, StepState};

/// Durable state of runs.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ExecutionStateRepository: Send + Sync {
    /// Stores a new run with its steps, in one commit with `audit`.
    /// MUST refuse with `Conflict` while another run is active.
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Stores where a step stands, in one commit with `audit`. MUST refuse with `Conflict` when the run is not active.
    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Moves a run to another state, in one commit with `audit`.
    /// MUST refuse with `Conflict` a move that `RunState::may_become` refuses.
    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError>;

    /// The active run, if a process left or holds one.
    async fn active(&self) -> Result<Option<RunRecord>, StoreError>;

    /// Per API the failure of its newest ended step, where no token was stored after it.
    async fn last_failures(&self) -> Result<Vec<(ApiName, DateTime<Utc>, Failure)>, StoreError>;
}
