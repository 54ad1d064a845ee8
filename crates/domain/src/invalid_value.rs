//! The error of every checked constructor in this crate. Which values are wrong, each type decides.

use thiserror::Error;

/// A value that a checked constructor refused: what it should be, and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} {problem}")]
pub struct InvalidValue {
    /// What the value was meant to be, for example `API name`.
    pub what: &'static str,
    /// What is wrong, written to follow `what`, for example `"1A" must start with a letter`.
    pub problem: String,
}

impl InvalidValue {
    pub(crate) fn new(what: &'static str, problem: impl Into<String>) -> Self {
        Self {
            what,
            problem: problem.into(),
        }
    }
}
