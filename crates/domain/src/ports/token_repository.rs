//! Port: the tokens of all APIs.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::ids::{ApiName, Generation};
use crate::token::{LastCheck, NewToken, StoredToken};

/// A profile check to be recorded on one generation of one API's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCheck {
    /// Whose token.
    pub api: ApiName,
    /// Which one was checked; a newer one is not touched.
    pub generation: Generation,
    /// What came out.
    pub check: LastCheck,
}

/// One API's newest token, or why it could not be read.
pub type LoadedToken = (ApiName, Result<StoredToken, StoreError>);

/// Durable tokens. The database is authoritative; everything in memory follows it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UpstoxTokenRepository: Send + Sync {
    /// The newest token of every API that has one. One unreadable token MUST NOT hide the others:
    /// it is reported as an error of its own API.
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError>;

    /// The newest token of one API. MUST open no sealed value but this API's.
    async fn find(&self, api: &ApiName) -> Result<Option<StoredToken>, StoreError>;

    /// Stores a new token, closes its attempt and erases the attempt's sealed code and answer, all in one commit
    /// with `audit`. MUST refuse with `Conflict` when the newest stored generation is not the one before it.
    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Records a check in one commit with `audit`. `verified_at` and `rejected_at` keep their first value.
    /// MUST change only the given generation. Returns whether that generation is still the newest.
    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError>;
}
