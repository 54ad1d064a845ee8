//! Vega's state in SQLite: opening, writing, one repository for each port, examination and maintenance. What needs no engine
//! lies beside this folder.

mod causes;
mod database_file;
mod filesystem;
mod first_start;
mod open_error;

mod data_source;
mod opening;
mod write;

mod audit_rows;
mod audit_trail;
mod row_marks;
mod row_values;
mod sealed_values;
mod standing;

mod access_keys;
mod access_repository;
mod attempt_rows;
mod cooldown_repository;
mod execution_state;
mod login_lease;
mod otp_ledger;
mod sign_in_journal;
mod spooling;
mod token_changes;
mod token_repository;

mod audit_history;
mod missing_checkpoints;
mod revocations;
mod row_acceptance;
mod row_examination;
mod row_upgrade;
mod seal_examination;

mod backup;
mod database_facts;
mod degraded_reads;
mod erasure;
mod key_proof;
mod key_rotation;

pub use access_repository::SqliteAccessRepository;
pub use audit_history::SqliteAuditHistory;
pub use audit_trail::SqliteAuditTrail;
pub use backup::{Backup, BackupError};
pub use cooldown_repository::SqliteCooldownRepository;
pub use data_source::DataSource;
pub use database_facts::DatabaseFacts;
pub use degraded_reads::tokens_without_opening;
pub use erasure::WalState;
pub use execution_state::SqliteExecutionStateRepository;
pub use key_rotation::{Rotation, RotationError, RotationStep};
pub use login_lease::FileLoginLease;
pub use open_error::OpenError;
pub use row_acceptance::Accepted;
pub use row_examination::RowScope;
pub use sign_in_journal::SqliteSignInJournal;
pub use token_changes::SqliteTokenChanges;
pub use token_repository::SqliteTokenRepository;
