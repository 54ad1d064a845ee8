//! Vega's state in SQLite: opening, writing, one repository for each port, examination and maintenance. What needs no engine
//! lies beside this folder.

mod database;
mod integrity;
mod repositories;

mod maintenance;

pub use database::data_source::DataSource;
pub use database::database_facts::DatabaseFacts;
pub use database::open_error::OpenError;
pub use integrity::row_acceptance::Accepted;
pub use integrity::row_values::RowScope;
pub use maintenance::backup::{Backup, BackupError};
pub use maintenance::degraded_reads::tokens_without_opening;
pub use maintenance::erasure::WalState;
pub use maintenance::key_rotation::{Rotation, RotationError, RotationStep};
pub use repositories::access_repository::SqliteAccessRepository;
pub use repositories::audit_history::SqliteAuditHistory;
pub use repositories::audit_trail::SqliteAuditTrail;
pub use repositories::cooldown_repository::SqliteCooldownRepository;
pub use repositories::execution_state::SqliteExecutionStateRepository;
pub use repositories::login_lease::FileLoginLease;
pub use repositories::sign_in_journal::SqliteSignInJournal;
pub use repositories::token_changes::SqliteTokenChanges;
pub use repositories::token_repository::SqliteTokenRepository;
