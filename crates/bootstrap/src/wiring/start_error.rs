//! Why Vega could not be built.

use thiserror::Error;
use vega_domain::ports::{StorageCause, StoreError};
use vega_persistence::OpenError;
use vega_upstox::ClientError;

/// Why Vega could not be built.
#[derive(Debug, Error)]
pub enum StartError {
    /// The database or the key.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Stored state.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StartError {
    /// Whether the database is on a server that may be reached later without anybody's help.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Open(error) => error.is_away(),
            Self::Store(StoreError::Failed { source, .. }) => {
                StorageCause::of(source.as_ref()) == StorageCause::Away
            }
            Self::Store(_) | Self::Client(_) => false,
        }
    }
}
