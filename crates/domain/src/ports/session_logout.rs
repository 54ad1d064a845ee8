//! Port: ends one token's session at Upstox.

use async_trait::async_trait;

use crate::failure::Failure;
use crate::secret::AccessToken;

/// Upstox's logout.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionLogout: Send + Sync {
    /// Logs the token's session out. Ok also when Upstox says that the token is dead already.
    async fn log_out(&self, token: &AccessToken) -> Result<(), Failure>;
}
