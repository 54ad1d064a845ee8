//! Port: links into the console, and the sessions that they open.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::access::{ConsoleLink, ConsoleSession, SecretHash};
use crate::audit::AuditEntry;
use crate::ids::SessionId;

/// Who is in the console. No secret comes this way, only hashes.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ConsoleSessions: Send + Sync {
    /// Stores a link, in one commit with `audit`. Forgets those that opened nothing in their time.
    async fn put_link(
        &self,
        link: &ConsoleLink,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Opens `session` by the link of this hash, in one commit with `audit`. One link MUST open one session at most,
    /// whoever asks at once (`a_link_opens_one_session_whoever_asks_at_once`). It MUST open none when it is dead at the
    /// time at which the session is opened (`a_link_opens_within_its_life_and_never_later`). Forgets sessions that are
    /// dead by then. Returns whether the session is open; if not, there is no entry.
    async fn redeem_link(
        &self,
        link: &SecretHash,
        session: &ConsoleSession,
        secret: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// The session of this hash, also one that is dead.
    async fn session(&self, secret: &SecretHash) -> Result<Option<ConsoleSession>, StoreError>;

    /// Notes when a session called last. MUST NOT bring one back that has ended
    /// (`a_session_is_seen_touched_and_ended_once`).
    async fn touch_session(&self, id: SessionId, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Ends a session, in one commit with `audit`. Returns whether it had not ended; if it had, nothing is written.
    /// MUST end one whose record was taken away (`a_session_whose_row_was_taken_away_ends_all_the_same`).
    async fn end_session(&self, id: SessionId, audit: &AuditEntry) -> Result<bool, StoreError>;
}
