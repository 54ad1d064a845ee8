//! The contract of the persistence ports, sentence by sentence, over a real database file.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod access_repository;
mod audit_chain;
mod audit_history;
mod backup;
mod contract;
mod database_facts;
mod database_fixture;
mod degraded_reads;
mod delivered_codes;
mod erasure;
mod execution_state;
mod file_deliveries;
mod fingerprints;
mod first_start;
mod kept_databases;
mod key_rotation;
mod key_rotation_deaths;
mod login_lease;
mod older_database;
mod opening;
mod opening_to_read;
mod postgres_contract;
mod postgres_desk;
mod postgres_failover;
mod postgres_key_deaths;
mod postgres_keys;
mod postgres_lease;
mod postgres_lost_tokens;
mod postgres_machines;
mod postgres_pooler;
mod postgres_rows;
mod postgres_tls;
mod postgres_unanswered;
mod postgres_writers;
mod relocation;
mod relocation_deaths;
mod restore;
mod revoked_copies;
mod row_values;
mod rows_accepted;
mod rows_put_back;
mod seal_examination;
mod sign_in_journal;
mod spool;
mod spool_checks;
mod token_changes;
mod token_repository;
mod unfit_keys;
