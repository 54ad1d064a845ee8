//! Why a run could not be started, or not be kept on disk.

use thiserror::Error;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{LeaseError, LeaseHolder, StoreError};

/// Why a run could not be started or kept on disk.
#[derive(Debug, Error)]
pub enum RunError {
    /// Another process signs in.
    #[error("{}", held_by(.0.as_ref()))]
    Held(Option<LeaseHolder>),
    /// A token that a dead process received is sealed in the journal, and the database does not take it.
    /// Signing in again now would waste it and an OTP.
    #[error("the token that an earlier Vega received for {api} could not be stored: {failure}. {}", .failure.reason.advice())]
    NotRecovered {
        /// Whose token.
        api: ApiName,
        /// What the database said.
        failure: Failure,
    },
    /// The database failed. What was stored before stays.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, while this run was under way.
    #[error("{error}")]
    BrokeOff {
        /// The run.
        run: RunId,
        /// What the database said.
        error: StoreError,
    },
}

impl RunError {
    /// Whether another process signs in now, or took this one's sign-in over.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Held(_) => true,
            Self::Store(error) | Self::BrokeOff { error, .. } => matches!(error, StoreError::TakenOver(_)),
            Self::NotRecovered { .. } => false,
        }
    }

    /// The run that broke off, if one had begun.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::BrokeOff { run, .. } => Some(*run),
            Self::Held(_) | Self::NotRecovered { .. } | Self::Store(_) => None,
        }
    }
}

impl From<LeaseError> for RunError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held(holder) => Self::Held(holder),
            LeaseError::Store(error) => Self::Store(error),
        }
    }
}

fn held_by(holder: Option<&LeaseHolder>) -> String {
    match holder {
        Some(holder) => format!("another Vega signs in now: {holder}"),
        None => "another Vega signs in now".into(),
    }
}
