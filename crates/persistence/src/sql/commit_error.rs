//! Why a commit was not acknowledged, and what that leaves open.

use sqlx::Error;

/// Why a commit was not acknowledged.
pub(crate) enum CommitError {
    /// Nothing of it counts.
    Refused(Error),
    /// Nobody said whether it counts.
    Unanswered(Error),
}
