//! The traits at Vega's crate seams, one per file. They stand on the caller's side: `services` and `orchestration` call
//! them, adapters implement them, `bootstrap` brings both together. Sentences with MUST are the contract; each
//! names the tests that hold it.

mod access_keys;
mod audit_trail;
mod broker_clock;
mod clock;
mod code_delivery;
mod console_sessions;
mod consumers;
mod cooldown_repository;
mod event_sink;
mod evidence_store;
mod execution_state;
mod file_deliveries;
mod follow_up_runner;
mod last_price;
mod lease_holder;
mod listener_proof;
mod login_lease;
mod operator;
mod otp_ledger;
mod profile;
mod run_history;
mod session_logout;
mod sign_in;
mod sign_in_attempts;
mod sign_in_requirements;
mod store_error;
mod token_adoption;
mod token_changes;
mod token_exchange;
mod token_file_writer;
mod token_repository;
mod token_spool;

pub use access_keys::{AccessKeys, StoredKey, UnfitKey};
pub use audit_trail::{AuditHistory, AuditTrail};
pub use broker_clock::BrokerClock;
pub use clock::Clock;
pub use code_delivery::{CodeDelivery, Delivery};
pub use console_sessions::ConsoleSessions;
pub use consumers::Consumers;
pub use cooldown_repository::CooldownRepository;
pub use event_sink::EventSink;
pub use evidence_store::EvidenceStore;
pub use execution_state::ExecutionStateRepository;
pub use file_deliveries::{DeliveryClaim, FileDeliveries};
pub use follow_up_runner::FollowUpRunner;
pub use last_price::{LastPriceAnswer, LastPriceApi};
pub use lease_holder::LeaseHolder;
pub use listener_proof::{ListenerAddress, ListenerProof};
pub use login_lease::{Lease, LeaseError, LoginLease};
pub use operator::{Answer, Approver, Operator, Presenter, Prompter};
pub use otp_ledger::{OtpGrant, OtpLedger};
pub use profile::{ProfileAnswer, ProfileApi};
pub use run_history::{LastFailure, RunHistory};
pub use session_logout::SessionLogout;
pub use sign_in::{OtpPermit, SignIn, SignInRequest, SignInSession};
pub use sign_in_attempts::{LeftAnswer, NewAttempt, SignInAttempts, UnfinishedAttempt};
pub use sign_in_requirements::{BrowserWindow, SignInRequirements, Unmet};
pub use store_error::{StorageCause, StorageKind, StoreError};
pub use token_adoption::TokenAdoption;
pub use token_changes::TokenChanges;
pub use token_exchange::{ExchangeError, TokenAnswer, TokenExchange};
pub use token_file_writer::{Found, TokenFileInspector, TokenFileWriter};
pub use token_repository::{
    LoadedToken, RecordedCheck, TokenCheck, UnreadableToken, UpstoxTokenRepository, entry_for_unchanged,
};
pub use token_spool::TokenSpool;

#[cfg(feature = "mock")]
pub use self::{
    access_keys::MockAccessKeys, audit_trail::MockAuditTrail, broker_clock::MockBrokerClock,
    clock::MockClock, code_delivery::MockCodeDelivery, console_sessions::MockConsoleSessions,
    consumers::MockConsumers, cooldown_repository::MockCooldownRepository, event_sink::MockEventSink,
    evidence_store::MockEvidenceStore, execution_state::MockExecutionStateRepository,
    file_deliveries::MockFileDeliveries, follow_up_runner::MockFollowUpRunner, last_price::MockLastPriceApi,
    listener_proof::MockListenerProof, login_lease::MockLoginLease, operator::MockApprover,
    operator::MockPresenter, operator::MockPrompter, otp_ledger::MockOtpLedger, profile::MockProfileApi,
    run_history::MockRunHistory, session_logout::MockSessionLogout, sign_in::MockOtpPermit,
    sign_in::MockSignIn, sign_in::MockSignInSession, sign_in_attempts::MockSignInAttempts,
    token_adoption::MockTokenAdoption, token_changes::MockTokenChanges, token_exchange::MockTokenExchange,
    token_file_writer::MockTokenFileInspector, token_file_writer::MockTokenFileWriter,
    token_repository::MockUpstoxTokenRepository, token_spool::MockTokenSpool,
};
