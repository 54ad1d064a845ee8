//! Port: news that stored tokens or access keys may have changed, whichever process changed them.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::token::StoredToken;

/// Tells a process that another one changed a token or an access key. What changed is asked of the repositories.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenChanges: Send + Sync {
    /// Returns when a token may have been stored, checked or removed, or an access key added or revoked, since the last
    /// call began to wait; the first call returns at once. It may return for less than that, such as an audit entry.
    ///
    /// A commit, that of this process too, MUST be told (`each_commit_is_told_whoever_made_it`), and so MUST what goes
    /// into the spool instead (`what_goes_into_the_spool_is_told_too`): within 100 ms, as `cargo xtask bench` measures.
    /// None MUST be missed between two calls (`a_commit_that_comes_while_a_call_waits_ends_it`), and none when a call
    /// is dropped halfway (`a_call_that_is_dropped_has_seen_nothing`). While nobody can tell, it MUST return all the
    /// same, so that the caller looks (`a_database_that_cannot_tell_makes_the_caller_look`).
    async fn changed(&self);

    /// How often this process has noticed that the last commits were lost with a database server: a token that it holds and that is not
    /// stored then was durable. It never changes where no server can be lost.
    fn losses(&self) -> u64 {
        0
    }

    /// Puts a token back that was durable and was lost. It is no part of a sign-in: whoever holds it may. Returns whether it was put
    /// back; where the API has a token of its generation or a newer one, nothing is changed.
    async fn put_back(&self, token: &StoredToken, audit: &AuditEntry) -> Result<bool, StoreError> {
        let _ = (token, audit);
        Ok(false)
    }
}
