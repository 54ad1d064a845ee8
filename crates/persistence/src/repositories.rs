//! One repository for each storage port of the domain.

pub(crate) mod access_keys;
pub(crate) mod access_repository;
pub(crate) mod attempt_rows;
pub(crate) mod audit_history;
pub(crate) mod audit_rows;
pub(crate) mod audit_trail;
pub(crate) mod consumers;
pub(crate) mod cooldown_repository;
pub(crate) mod execution_state;
pub(crate) mod file_deliveries;
pub(crate) mod lost_tokens;
pub(crate) mod otp_rows;
pub(crate) mod sign_in_journal;
pub(crate) mod spooling;
pub(crate) mod token_adoption;
pub(crate) mod token_changes;
pub(crate) mod token_checks;
pub(crate) mod token_repository;
pub(crate) mod token_rows;
