//! Takes the lease for a change that must not happen beside a sign-in, such as a new root key. Refuses while a run is active or
//! left over.

use thiserror::Error;
use vega_domain::ports::{Lease, LoginLease, RunHistory, StoreError};

use crate::run_error::RunError;

/// Why the change cannot be made now.
#[derive(Debug, Error)]
pub enum NotBetweenRuns {
    /// Another process signs in.
    #[error("{0}. Wait for its end, or end it with `vega cancel`; then run the command again")]
    Held(RunError),
    /// A run of a dead process is not cleared up: what it received may be needed.
    #[error(
        "a run was cut off and is not cleared up yet. `vega verify` does that; then run the command again"
    )]
    RunLeft,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the sign-in lease where no run is under way and none is left to be cleared up. The change is made while the lease is
/// held.
pub async fn between_runs(
    lease: &dyn LoginLease,
    history: &dyn RunHistory,
) -> Result<Box<dyn Lease>, NotBetweenRuns> {
    let lease = match lease.acquire().await.map_err(RunError::from) {
        Ok(lease) => lease,
        Err(RunError::Store(error)) => return Err(error.into()),
        Err(held) => return Err(NotBetweenRuns::Held(held)),
    };
    match history.active().await? {
        None => Ok(lease),
        Some(_) => Err(NotBetweenRuns::RunLeft),
    }
}
