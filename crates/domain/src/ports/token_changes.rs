//! Port: news that stored tokens or access keys may have changed, whichever process changed them.

use async_trait::async_trait;

/// Tells a process that another one changed a token or an access key. What changed is asked of the repositories.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenChanges: Send + Sync {
    /// Returns when a token may have been stored, checked or removed, or an access key added or revoked, since the last
    /// call began to wait; the first call returns at once. It may return for less than that, such as an audit entry.
    ///
    /// A commit, and what goes into the spool instead, MUST be told within 100 ms, that of this process too. None MUST be
    /// missed between two calls, and none when a call is dropped halfway. While nobody can tell, it MUST return all the
    /// same, so that the caller looks.
    async fn changed(&self);
}
