//! Clears up after a dead process: finishes what can be finished without a human, closes the rest, keeps what its failures
//! ask for, and ends its run, so that the next one starts from what is true.

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::ports::{LeaseError, StoreError};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};
use vega_domain::token::{ApiStatus, TokenStatus};

use crate::run_context::RunDependencies;
use crate::run_error::RunError;
use crate::run_queries::RunQueries;

/// What earlier starts left and this one cleared up.
#[derive(Debug, Default)]
pub struct LeftOver {
    /// A run of today whose process died; it can be taken up again.
    pub cut_off: Option<RunRecord>,
    /// Runs of an earlier day that were never completed.
    pub abandoned: Vec<RunRecord>,
}

/// Clears up; one at a time in this process.
#[derive(Default)]
pub(crate) struct RunRecovery {
    /// Held while what a dead process left is finished.
    under_way: Mutex<()>,
}

impl RunRecovery {
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.try_lock().is_err()
    }

    /// Waits until none is under way.
    pub(crate) async fn ended(&self) {
        drop(self.under_way.lock().await);
    }

    /// Clears up what a dead process left: finishes sealed answers without a human, closes the other attempts, ends its
    /// run as `incomplete`, and gives up incomplete runs of an earlier day. Does nothing while another process signs in.
    pub(crate) async fn recover(&self, dependencies: &RunDependencies) -> Result<LeftOver, RunError> {
        // Most starts find nothing, and must not hold the lease against somebody who signs in.
        let queries = RunQueries(dependencies);
        let any_run = queries.active().await?.is_some() || !queries.overdue().await?.is_empty();
        if !any_run && !dependencies.generation.is_any_attempt_open().await? {
            return Ok(LeftOver::default());
        }
        match dependencies.ports.lease.acquire().await {
            Ok(_lease) => self.recover_under_lease(dependencies).await,
            Err(LeaseError::Held(_)) => Ok(LeftOver::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for whoever has the lease.
    pub(crate) async fn recover_under_lease(
        &self,
        dependencies: &RunDependencies,
    ) -> Result<LeftOver, RunError> {
        let _under_way = self.under_way.lock().await;
        let cut_off = end_cut_off_run(dependencies).await?;
        let mut abandoned = abandon_overdue_runs(dependencies).await?;
        let (of_today, older): (Vec<_>, Vec<_>) = cut_off
            .into_iter()
            .partition(|run| run.state == RunState::Incomplete);
        abandoned.extend(older);
        Ok(LeftOver {
            cut_off: of_today.into_iter().next(),
            abandoned,
        })
    }
}

/// Nobody goes on with runs of an earlier day: what they made is dead.
async fn abandon_overdue_runs(dependencies: &RunDependencies) -> Result<Vec<RunRecord>, StoreError> {
    let mut abandoned = Vec::new();
    for run in RunQueries(dependencies).overdue().await? {
        abandoned.push(dependencies.progress_of(run).abandon().await?);
    }
    Ok(abandoned)
}

async fn end_cut_off_run(dependencies: &RunDependencies) -> Result<Option<RunRecord>, RunError> {
    // What the database did not take then comes first: an answer in the spool is no answer that was lost.
    dependencies
        .ports
        .spool
        .import(dependencies.ports.clock.now())
        .await?;
    let left_over = dependencies.ports.history.active().await?;
    let recovered = dependencies.generation.recover(&dependencies.accounts).await?;
    for attempt in &recovered {
        if let Err(failure) = &attempt.outcome
            && failure.reason.is_of_storage()
        {
            return Err(RunError::NotRecovered {
                api: attempt.api.clone(),
                failure: failure.clone(),
            });
        }
    }
    for attempt in &recovered {
        if let Err(failure) = &attempt.outcome {
            heed(dependencies, failure, &attempt.account, attempt.run).await?;
        }
    }
    let Some(run) = left_over else { return Ok(None) };
    let (id, started_at) = (run.id, run.started_at);
    let under_way = |step: &&StepRecord| !step.state.is_final() && step.state != StepState::Pending;
    let open: Vec<StepRecord> = run.steps.iter().filter(under_way).cloned().collect();
    let progress = dependencies.progress_of(run);
    for StepRecord { api, account, .. } in open {
        let outcome = recovered
            .iter()
            .find(|attempt| attempt.run == id && attempt.api == api);
        let state = match outcome.map(|attempt| &attempt.outcome) {
            Some(Ok(_)) => StepState::Done,
            Some(Err(failure)) => StepState::Failed(failure.clone()),
            // It died between storing the token and saying so.
            None if made_since(dependencies, &api, started_at).await? => StepState::Done,
            None => {
                let unsaved = dependencies.generation.unsaved_failure(id, &api).await?;
                let failure = unsaved.unwrap_or_else(|| Failure::new(FailureReason::Interrupted, ""));
                heed(dependencies, &failure, &account, id).await?;
                StepState::Failed(failure)
            }
        };
        // Nobody waits for it: what fails now is done by whoever clears up next.
        progress.move_step_at_once(&api, state).await?;
    }
    let record = progress.end_left_over().await?;
    dependencies.keep_checkpoint(record.id).await;
    Ok(Some(record))
}

/// Does what a failure asks for, because its own process may not have come so far.
async fn heed(
    dependencies: &RunDependencies,
    failure: &Failure,
    account: &AccountId,
    run: RunId,
) -> Result<(), StoreError> {
    match dependencies.account(account) {
        Some(account) => dependencies.cooldowns.after(failure, account, run).await,
        None => Ok(()),
    }
}

/// Not one that was made earlier in the same run and rejected since. It may have died by time meanwhile.
async fn made_since(
    dependencies: &RunDependencies,
    api: &ApiName,
    since: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let status = dependencies.validity.status(api).await?;
    let is_made =
        |status: ApiStatus| status.status != TokenStatus::Invalid && status.verified_at >= Some(since);
    Ok(status.is_some_and(is_made))
}
