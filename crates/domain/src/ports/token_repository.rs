//! Port: the tokens of all APIs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::ids::{AccountId, ApiName, Generation, UserId};
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

/// A token that is on record but cannot be had: it does not open (wrong key, damage, or a value moved from another row), or
/// it died long ago and was erased.
#[derive(Debug)]
pub struct UnreadableToken {
    /// Whose token.
    pub api: ApiName,
    /// Which one.
    pub generation: Generation,
    /// When it dies or died; this is not sealed.
    pub valid_until: DateTime<Utc>,
    /// Why it cannot be had.
    pub error: StoreError,
}

/// One API's newest token, or why it could not be read.
pub type LoadedToken = Result<StoredToken, UnreadableToken>;

/// Durable tokens. The database is authoritative; everything in memory follows it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UpstoxTokenRepository: Send + Sync {
    /// The newest token of every API that has one. One unreadable token MUST NOT hide the others
    /// (`one_unreadable_token_does_not_hide_the_others`).
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError>;

    /// The generation of one API's newest token. MUST work also when that token does not open
    /// (`one_unreadable_token_does_not_hide_the_others`).
    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError>;

    /// Whose the account's newest verified token is: the person whom the account was first signed in with. `None` before
    /// its first success.
    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError>;

    /// Stores a new token, closes its attempt and erases the attempt's sealed code and answer, all in one commit with
    /// `audit`. MUST refuse with `Conflict` when the newest stored generation is not the one before it
    /// (`a_stale_generation_is_refused_and_nothing_is_written`).
    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Records a check in one commit with `audit`, as `StoredToken::apply` does. `verified_at` keeps its first value,
    /// and so does `rejected_at` until a good answer clears it. MUST change only the given generation, and nothing of
    /// one that the operator revoked (`a_check_keeps_the_first_verdicts_and_touches_only_its_generation`). Returns
    /// whether that generation is still the newest.
    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Erases, in one commit with its audit entry, the bytes of tokens whose time ended more than a day before `now`,
    /// and of answers as old that were kept for review. MUST NOT touch a token before that
    /// (`a_token_is_erased_a_day_after_its_end_and_no_earlier`). An extended token lives a year, longer than the access
    /// token that it came with: MUST keep it until 366 days and one more have passed since it was issued, or until the
    /// access token is erased and a newer token of its API brought another one
    /// (`an_extended_token_outlives_its_access_token_by_a_year`, `an_extended_token_goes_when_a_newer_one_came`). MUST
    /// leave nothing of the bytes in the database's files, unless another program still reads them
    /// (`a_token_is_erased_a_day_after_its_end_and_not_before`,
    /// `what_a_reader_held_back_goes_with_the_last_connection`). Returns how many values were erased.
    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError>;
}
