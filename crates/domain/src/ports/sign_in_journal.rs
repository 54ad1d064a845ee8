//! Port: the journal of sign-ins. Each method is one durable commit made *before* the effect it announces; only
//! `note_otp` comes after it, for that effect is not Vega's.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::AuditEntry;
use crate::clock_reading::ClockReading;
use crate::failure::Failure;
use crate::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, MobileNumber, RunId};
use crate::secret::{AuthorizationCode, OAuthState, RawAnswer};
use crate::sign_in::OtpBudget;

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

/// Whether "Get OTP" may be pressed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtpGrant {
    /// The press is on record: press now.
    Granted,
    /// This attempt has a press on record already. A second one is not Vega's to make.
    PressedBefore,
    /// The budget is used up until then; nothing but the refusal was recorded.
    BudgetUsedUp {
        /// When the next press is possible.
        until: DateTime<Utc>,
    },
}

/// What became of a code that a redirect brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is sealed, and the sign-in that waits for it finds it.
    Taken(ApiName),
    /// The sign-in has its code: the same redirect came twice, or another one came first.
    CameBefore(ApiName),
    /// The sign-in ended without it.
    TooLate(ApiName),
    /// No sign-in sent this `state`.
    Unknown,
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

/// Intents and received answers of sign-ins, and the ledger of OTP presses.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SignInJournal: Send + Sync {
    /// Records that an attempt begins.
    async fn open_attempt(&self, attempt: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Decides over one "Get OTP" press, of Vega's or, on the own-browser route, of the human's, and records it, in one
    /// commit. MUST grant at most one press per attempt and
    /// at most `budget` per mobile number, also across restarts and whatever the account is called. A press that seems
    /// to lie in the future MUST NOT hold the budget for longer than the window from now on.
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError>;

    /// Seals a code that came back with `state`, for the process that waits for it, whichever it is. MUST take the first
    /// code of an open attempt and no other.
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError>;

    /// The code that was delivered for `state`, while its exchange is not intended yet.
    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError>;

    /// Records a "Get OTP" press that was made in the window and not by Vega, whatever the budget says; afterwards it
    /// counts as every other. MUST change nothing when the attempt has a press on record: the ledger knows one per
    /// attempt, so a further press by hand does not count.
    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError>;

    /// Seals the code and records that it is about to be sent. MUST refuse with `Conflict` when the attempt
    /// already intends an exchange: only one writer wins, and a code is sent once.
    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Seals the raw answer before anybody reads it.
    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Closes an attempt that stored no token and erases what it sealed, except an answer that needs review.
    /// Closing a closed attempt MUST change nothing.
    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Attempts that are neither stored nor closed. Under the lease their processes are dead. An answer that does not
    /// open MUST NOT hide the other attempts.
    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError>;

    /// The failure of an attempt that was closed after its step in `run` was saved for the last time: its process died
    /// between the two, and what the failure asks for may not have been done.
    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError>;

    /// When "Get OTP" was pressed for this number: the newest so many, newest last.
    async fn otp_presses(&self, mobile: &MobileNumber, newest: u32) -> Result<Vec<ClockReading>, StoreError>;
}
