//! Durable state of Vega: SQLite through sqlx, secrets sealed at rest, the kernel lock that keeps sign-ins single.
//! `DataSource` opens and checks the database; each repository implements one port over it. No rule lives here.

#[cfg(all(feature = "test-hooks", not(debug_assertions)))]
compile_error!(
    "the feature test-hooks lets a commit be called durable before it is: never build it for release"
);

mod access_keys;
mod access_repository;
mod attempt_rows;
mod audit_chain;
mod audit_heads;
mod audit_history;
mod audit_trail;
mod backup;
mod changeable;
mod checkpoints;
mod cooldown_repository;
mod data_source;
mod database_facts;
mod database_file;
mod doubt;
mod erasure;
mod execution_state;
mod files;
mod filesystem;
mod fingerprint;
mod first_start;
mod key_files;
mod key_proof;
mod key_rotation;
mod key_source;
mod latest_changes;
mod listener_proof;
mod login_lease;
mod moment_columns;
mod open_error;
mod otp_ledger;
mod revocations;
mod root_key;
mod row_acceptance;
mod row_examination;
mod row_marks;
mod row_upgrade;
mod row_values;
mod seal;
mod seal_examination;
mod sealed_values;
mod sign_in_journal;
mod spool;
mod spool_import;
mod spool_records;
mod spooling_journal;
mod spooling_tokens;
mod text_file;
mod token_changes;
mod token_repository;
mod unopened;
mod write;

pub use access_repository::SqliteAccessRepository;
pub use audit_history::SqliteAuditHistory;
pub use audit_trail::SqliteAuditTrail;
pub use backup::{Backup, BackupError};
pub use changeable::{Place, refuse_if_others_may_change};
pub use cooldown_repository::SqliteCooldownRepository;
pub use data_source::DataSource;
pub use database_facts::DatabaseFacts;
pub use erasure::WalState;
pub use execution_state::SqliteExecutionStateRepository;
pub use files::{FileError, create_private_dir};
pub use key_rotation::{Rotation, RotationError, RotationStep};
pub use key_source::KeySource;
pub use listener_proof::KeyedListenerProof;
pub use login_lease::FileLoginLease;
pub use open_error::OpenError;
pub use root_key::KeyError;
pub use row_acceptance::Accepted;
pub use row_examination::{RowFault, RowFaults, RowScope};
pub use sign_in_journal::SqliteSignInJournal;
pub use spool_import::FileTokenSpool;
pub use spooling_journal::SpoolingSignInJournal;
pub use spooling_tokens::SpoolingTokenRepository;
pub use text_file::{NoText, read_text};
pub use token_changes::SqliteTokenChanges;
pub use token_repository::SqliteTokenRepository;
pub use unopened::tokens_without_opening;
