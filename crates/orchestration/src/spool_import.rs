//! Moves into the database what the spool keeps, under the sign-in lease: an answer that comes late opens its attempt again, which
//! must not happen beside somebody who signs in. What is moved is finished by whoever clears up next.

use chrono::{DateTime, Utc};
use vega_domain::ports::{LeaseError, LoginLease, StoreError, TokenSpool};

/// Does nothing while another process signs in. What this process's own run kept is moved while the run goes on.
pub async fn import_under_lease(
    spool: &dyn TokenSpool,
    lease: &dyn LoginLease,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    // Mostly there is nothing, and nobody who signs in must be held off for that.
    if spool.is_empty().await? {
        return Ok(());
    }
    // Nobody who starts waits here for the silence of a holder: whoever clears up does, and upkeep comes again.
    let holder = lease.holder().await?;
    if holder.is_some_and(|holder| !holder.is_this_process) {
        return Ok(());
    }
    let _lease = match lease.acquire().await {
        Ok(lease) => Some(lease),
        Err(LeaseError::Held(Some(holder))) if holder.is_this_process => None,
        Err(LeaseError::Held(_)) => return Ok(()),
        Err(LeaseError::Store(error)) => return Err(error),
    };
    spool.import(at).await.map(drop)
}
