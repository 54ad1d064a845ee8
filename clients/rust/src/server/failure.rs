//! Why a call to the server gave nothing, and what the server says about another attempt.

use std::time::Duration;

use crate::error::Error;

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The server asks to be left alone for so long.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the server said so itself.
    pub(crate) is_answer: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
            is_answer: false,
        }
    }
}
