//! Durable state of Vega: one repository for each port of the domain, secrets sealed at rest, the file lock that keeps sign-ins
//! single. `DataSource` opens and checks the database. Only `sqlite` names a database engine. No rule of the domain lives here.

#[cfg(all(feature = "injected-defects", not(debug_assertions)))]
compile_error!(
    "the feature injected-defects lets programs break their promises on purpose: never build it for release"
);

mod files;
mod hex;
mod stored;

mod key_files;
mod sealing;

mod audit;
mod records;

mod sql;

mod database;
mod integrity;
mod maintenance;
mod repositories;

mod postgres;
mod sqlite;

mod spool;

pub use database::data_source::DataSource;
pub use database::database_facts::DatabaseFacts;
pub use database::open_error::OpenError;
pub use database::place::DatabasePlace;
pub use files::text_file::{NoText, read_text};
pub use files::{
    FileError, Place, create_private_dir, refuse_if_others_may_change, refuse_if_others_than_may_change,
};
pub use integrity::row_acceptance::Accepted;
pub use integrity::row_values::RowScope;
pub use key_files::key_source::KeySource;
pub use key_files::root_key::KeyError;
pub use maintenance::backup::{Backup, BackupError};
pub use maintenance::backup_copy::UnfitBackup;
pub use maintenance::backup_examination::{ExaminedBackup, examine_backup};
pub use maintenance::key_rotation::{Rotation, RotationStep};
pub use maintenance::machines::Program;
pub use maintenance::next_key::PreparedKey;
pub use maintenance::relocation::{MoveStep, Moved, Relocation};
pub use maintenance::relocation_error::MoveError;
pub use maintenance::restore::{Restored, restore};
pub use maintenance::restore_error::RestoreError;
pub use maintenance::rotation_error::{RotationError, StepsError};
#[cfg(feature = "injected-defects")]
pub use postgres::injected_defects::InjectedDefect;
pub use repositories::access_repository::SqlAccessRepository;
pub use repositories::audit_history::SqlAuditHistory;
pub use repositories::audit_trail::SqlAuditTrail;
pub use repositories::consumers::SqlConsumers;
pub use repositories::cooldown_repository::SqlCooldownRepository;
pub use repositories::execution_state::SqlExecutionStateRepository;
pub use repositories::file_deliveries::SqlFileDeliveries;
pub use repositories::sign_in_journal::SqlSignInJournal;
pub use repositories::token_changes::SqlTokenChanges;
pub use repositories::token_repository::SqlTokenRepository;
pub use sealing::listener_proof::KeyedListenerProof;
pub use spool::import::FileTokenSpool;
pub use spool::spooling_attempts::SpoolingSignInAttempts;
pub use spool::spooling_tokens::SpoolingTokenRepository;

pub use sqlite::degraded_reads::tokens_without_opening;
pub use sqlite::login_lease::FileLoginLease;
pub use sqlite::wal::WalState;
