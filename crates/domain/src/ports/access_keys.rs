//! Port: the access keys of programs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::access::{AccessKey, SecretHash};
use crate::audit::AuditEntry;
use crate::ids::AccessKeyId;

/// An access key with what tells who shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key as the operator sees it.
    pub key: AccessKey,
    /// Of its secret.
    pub hash: SecretHash,
}

/// An access key that counts no more because its record is not what was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitKey {
    /// Which one.
    pub id: AccessKeyId,
    /// What it is or was called, as far as that is known.
    pub names: Vec<String>,
}

/// Which programs may call. No secret comes this way, only hashes.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AccessKeys: Send + Sync {
    /// Stores a new key, in one commit with `audit`. MUST refuse with `Conflict` while another key of that name is live
    /// at the time at which this one was made (`a_name_is_free_as_soon_as_no_living_key_has_it`).
    async fn add_key(&self, new: &StoredKey, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Every key, also revoked and expired ones, oldest first. One that cannot be read counts no more and MUST NOT hide
    /// the others (`a_damaged_key_counts_no_more_and_hides_no_other`).
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// The keys that are on record and not among `keys`, for what their records are.
    async fn unfit_keys(&self) -> Result<Vec<UnfitKey>, StoreError>;

    /// Makes a key worthless for good, in one commit with `audit`. Returns whether it was not so already; if it was, or
    /// there never was one, nothing is written. MUST work for one of `unfit_keys`, also when its record is gone: what
    /// comes back later counts no more (`a_damaged_key_is_revoked_once_and_for_good`,
    /// `a_key_whose_row_does_not_fit_is_revoked_for_good`).
    async fn revoke_key(&self, id: AccessKeyId, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Notes when keys were used last. MUST NOT replace a later time (`the_latest_use_of_a_key_is_kept`).
    async fn record_uses(&self, uses: &[(AccessKeyId, DateTime<Utc>)]) -> Result<(), StoreError>;
}
