//! Why Vega could not be built.

use thiserror::Error;
use vega_domain::ports::StoreError;
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
