//! The error for stored values that this version cannot read.

use vega_domain::ports::StoreError;

/// For a stored value that is not what this version writes.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("a stored value cannot be read: {error}"))
}
