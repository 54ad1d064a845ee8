//! Port: sign-in attempts, for whoever drives one and whoever finishes what a dead process left. Each change is one durable
//! commit made *before* the effect it announces.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::failure::Failure;
use crate::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, RunId};
use crate::secret::{AuthorizationCode, OAuthState, RawAnswer};

/// An attempt about to begin.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// The attempt.
    pub id: AttemptId,
    /// The run it belongs to.
    pub run: RunId,
    /// The account that signs in.
    pub account: AccountId,
    /// The API that it is for.
    pub api: ApiName,
    /// The app that it is for.
    pub client_id: ClientId,
    /// The generation that its token will have.
    pub generation: Generation,
    /// Stored as a hash only, so that a redirect can find its attempt.
    pub state: OAuthState,
    /// When it began.
    pub opened_at: DateTime<Utc>,
}

/// An attempt whose process died.
#[derive(Debug, Clone)]
pub struct UnfinishedAttempt {
    /// The attempt.
    pub id: AttemptId,
    /// The run it belonged to.
    pub run: RunId,
    /// Its account.
    pub account: AccountId,
    /// Its API.
    pub api: ApiName,
    /// The app that it was for.
    pub client_id: ClientId,
    /// The generation that its token would have.
    pub generation: Generation,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// Whether "Get OTP" was pressed, or may have been.
    pub otp_pressed: bool,
    /// A code that came back and was not sent, if it opens.
    pub delivered: Option<AuthorizationCode>,
    /// When the exchange was intended, if it came so far.
    pub exchange_sent_at: Option<DateTime<Utc>>,
    /// The answer of the token endpoint.
    pub answer: LeftAnswer,
}

/// What is left of the token endpoint's answer.
#[derive(Debug, Clone)]
pub enum LeftAnswer {
    /// None came.
    None,
    /// It was sealed, and it opens.
    Sealed(RawAnswer),
    /// It was sealed, and it does not open: the words say why.
    Unreadable(String),
}

/// Intents and received answers of sign-ins.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SignInAttempts: Send + Sync {
    /// Records that an attempt begins.
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Seals the code and records that it is about to be sent. MUST refuse with `Conflict` when the attempt already
    /// intends an exchange: only one writer wins, and a code is sent once (`a_code_is_taken_once`).
    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Seals the raw answer before anybody reads it. MUST take one of an attempt that was closed as `outcome_unknown` by whoever did
    /// not know of it, unless a later sign-in for the API began since; the attempt is open again then
    /// (`an_answer_that_comes_home_opens_its_attempt_again`, `an_answer_that_comes_too_late_is_refused`). Fails with `TakenOver` only
    /// where the answer is in the spool: the next start brings it home, and the caller makes nothing of it.
    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Closes an attempt that stored no token and erases what it sealed, except an answer that needs review. Closing a
    /// closed attempt MUST change nothing (`closing_a_closed_attempt_changes_nothing`).
    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Attempts that are neither stored nor closed. Under the lease their processes are dead. An answer that does not
    /// open MUST NOT hide the other attempts (`an_answer_that_does_not_open_hides_no_other_attempt`).
    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError>;

    /// The failure of an attempt that was closed after its step in `run` was saved for the last time: its process died
    /// between the two, and what the failure asks for may not have been done.
    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError>;
}
