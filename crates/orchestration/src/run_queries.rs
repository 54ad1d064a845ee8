//! Read-only queries over runs, and the request to cancel one.

use vega_domain::ids::RunId;
use vega_domain::ports::StoreError;
use vega_domain::resume;
use vega_domain::run::RunRecord;

use crate::run_context::RunDependencies;

/// Questions about runs.
pub struct RunQueries<'d>(pub(crate) &'d RunDependencies);

impl RunQueries<'_> {
    /// The run of today that ended incomplete, if there is one: the newest.
    pub async fn open(&self) -> Result<Option<RunRecord>, StoreError> {
        let now = self.0.now();
        let mut incomplete = self.0.ports.history.incomplete().await?.into_iter();
        Ok(incomplete.find(|run| resume::is_open(run, now)))
    }

    /// Incomplete runs whose tokens died at 03:30 IST.
    pub(crate) async fn overdue(&self) -> Result<Vec<RunRecord>, StoreError> {
        let now = self.0.now();
        let mut incomplete = self.0.ports.history.incomplete().await?;
        incomplete.retain(|run| !resume::is_open(run, now));
        Ok(incomplete)
    }

    /// The run that a process carries out now, or the dead one that nobody cleared up after yet.
    pub async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        self.0.ports.history.active().await
    }

    /// This run, if there is one.
    pub async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.0.ports.history.find(run).await
    }

    /// The run that began last, if there is one.
    pub async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        self.0.ports.history.newest().await
    }

    /// Asks the process that holds the active run to end it. Returns the run, if there is one.
    pub async fn request_cancel(&self) -> Result<Option<RunId>, StoreError> {
        self.0.ports.runs.request_cancel(self.0.now()).await
    }
}
