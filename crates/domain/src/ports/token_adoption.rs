//! Port: tokens that no sign-in brought: the operator copied them from Upstox's own pages.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::token::StoredToken;

/// Takes such tokens.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenAdoption: Send + Sync {
    /// Stores a token that was asked about, in one commit with `audit`. MUST refuse with `Conflict` when the newest stored
    /// generation is not the one before it, and while a sign-in for the same API is open
    /// (`an_adopted_token_follows_the_newest_one`).
    async fn adopt(&self, token: &StoredToken, audit: &AuditEntry) -> Result<(), StoreError>;
}
