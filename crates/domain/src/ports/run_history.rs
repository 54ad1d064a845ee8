//! Port: what is on record of runs, for whoever reads it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::failure::Failure;
use crate::ids::{ApiName, AttemptId, RunId};
use crate::run::RunRecord;

/// How the last sign-in of an API failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// The API.
    pub api: ApiName,
    /// When its run began, or was taken up again.
    pub run_began: DateTime<Utc>,
    /// When it was stored, which is later than it was seen: the run may have waited in between.
    pub stored: DateTime<Utc>,
    /// The failure.
    pub failure: Failure,
    /// The API's sign-in attempt that ended last, if one did. Two failures in the same words are two if it is another one.
    pub attempt: Option<AttemptId>,
}

/// The runs on record, and how sign-ins failed.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RunHistory: Send + Sync {
    /// The active run, if a process left or holds one.
    async fn active(&self) -> Result<Option<RunRecord>, StoreError>;

    /// This run, if there is one.
    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// The run that began last, if there is one.
    async fn newest(&self) -> Result<Option<RunRecord>, StoreError>;

    /// The runs that ended incomplete and were neither taken up nor abandoned since, the newest first.
    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError>;

    /// Per API how its last sign-in failed, where no token was stored after it: by its step that ended last or, where that
    /// is later, by its attempt that was closed last.
    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError>;
}
