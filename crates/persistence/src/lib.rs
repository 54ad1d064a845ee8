//! Durable state of Vega: one repository for each port of the domain, secrets sealed at rest, the file lock that keeps sign-ins
//! single. `DataSource` opens and checks the database. Only `sqlite` names a database engine. No rule of the domain lives here.

#[cfg(all(feature = "injected-defects", not(debug_assertions)))]
compile_error!(
    "the feature injected-defects lets a commit be called durable before it is: never build it for release"
);

mod files;
mod hex;
mod stored;

mod key_files;
mod sealing;

mod audit;
mod records;

mod sqlite;

mod spool;

pub use files::text_file::{NoText, read_text};
pub use files::{FileError, Place, create_private_dir, refuse_if_others_may_change};
pub use key_files::key_source::KeySource;
pub use key_files::root_key::KeyError;
pub use sealing::listener_proof::KeyedListenerProof;
pub use spool::import::FileTokenSpool;
pub use spool::spooling_attempts::SpoolingSignInAttempts;
pub use spool::spooling_tokens::SpoolingTokenRepository;
pub use sqlite::{
    Accepted, Backup, BackupError, DataSource, DatabaseFacts, FileLoginLease, OpenError, Rotation,
    RotationError, RotationStep, RowScope, SqliteAccessRepository, SqliteAuditHistory, SqliteAuditTrail,
    SqliteCooldownRepository, SqliteExecutionStateRepository, SqliteSignInJournal, SqliteTokenChanges,
    SqliteTokenRepository, WalState, tokens_without_opening,
};
