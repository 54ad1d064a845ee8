//! The contract of the persistence ports, sentence by sentence, over a real database file.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world should stop there"
)]

mod audit_chain;
mod cooldown_repository;
mod delivered_codes;
mod execution_state;
mod fingerprints;
mod first_start;
mod login_lease;
mod opening;
mod sign_in_journal;
mod spool;
mod token_changes;
mod token_repository;
mod unopened;
mod world;
