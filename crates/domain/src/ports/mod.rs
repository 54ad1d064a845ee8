//! The traits at Vega's crate seams, one per file. They stand on the caller's side: `services` and `orchestration` call
//! them, adapters implement them, `bootstrap` brings both together. Sentences with MUST are the contract; tests check each.

mod access_repository;
mod audit_trail;
mod broker_clock;
mod clock;
mod cooldown_repository;
mod event_sink;
mod execution_state;
mod last_price;
mod listener_proof;
mod login_lease;
mod operator;
mod profile;
mod session_logout;
mod sign_in;
mod sign_in_journal;
mod token_changes;
mod token_exchange;
mod token_repository;
mod token_spool;

pub use access_repository::{AccessRepository, StoredKey};
pub use audit_trail::{AuditHistory, AuditTrail};
pub use broker_clock::BrokerClock;
pub use clock::Clock;
pub use cooldown_repository::CooldownRepository;
pub use event_sink::EventSink;
pub use execution_state::{ExecutionStateRepository, LastFailure};
pub use last_price::{LastPriceAnswer, LastPriceApi};
pub use listener_proof::ListenerProof;
pub use login_lease::{Lease, LeaseError, LeaseHolder, LoginLease};
pub use operator::{Answer, Operator};
pub use profile::{ProfileAnswer, ProfileApi};
pub use session_logout::SessionLogout;
pub use sign_in::{OtpPermit, SignIn, SignInRequest, SignInSession};
pub use sign_in_journal::{Delivery, LeftAnswer, NewAttempt, OtpGrant, SignInJournal, UnfinishedAttempt};
pub use token_changes::TokenChanges;
pub use token_exchange::{ExchangeError, TokenAnswer, TokenExchange};
pub use token_repository::{LoadedToken, TokenCheck, UnreadableToken, UpstoxTokenRepository};
pub use token_spool::TokenSpool;

#[cfg(feature = "mock")]
pub use self::{
    access_repository::MockAccessRepository, audit_trail::MockAuditTrail, broker_clock::MockBrokerClock,
    clock::MockClock, cooldown_repository::MockCooldownRepository, event_sink::MockEventSink,
    execution_state::MockExecutionStateRepository, last_price::MockLastPriceApi,
    listener_proof::MockListenerProof, login_lease::MockLoginLease, operator::MockOperator,
    profile::MockProfileApi, session_logout::MockSessionLogout, sign_in::MockOtpPermit, sign_in::MockSignIn,
    sign_in::MockSignInSession, sign_in_journal::MockSignInJournal, token_changes::MockTokenChanges,
    token_exchange::MockTokenExchange, token_repository::MockUpstoxTokenRepository,
    token_spool::MockTokenSpool,
};

use thiserror::Error;

use crate::failure::{Failure, FailureReason};

/// Why durable state could not be read or changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else changed the same thing first; nothing was written.
    #[error("{0}")]
    Conflict(String),
    /// A sealed value did not open: wrong key, damage, or a value moved from another row. Or the key was rotated
    /// meanwhile, and nothing was written.
    #[error("{0}")]
    Unreadable(String),
    /// A row is not what Vega wrote there last: it was changed, put back or taken away outside Vega. It counts for nothing.
    #[error("{0}")]
    ChangedOutside(String),
    /// The database as a whole is not the one that Vega left, and the operator has not accepted it: nothing of it counts and
    /// nothing is written.
    #[error("{0}")]
    NotAccepted(String),
    /// The token died more than a day ago, and its bytes were erased.
    #[error("the token died long ago and was erased")]
    Erased,
    /// The database failed. The text says what Vega was doing; the source what the database said.
    #[error("could not {doing}: {source}. Check disk space and permissions of the data directory")]
    Failed {
        /// What Vega was doing.
        doing: &'static str,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(FailureReason::Storage, error.to_string())
    }
}
