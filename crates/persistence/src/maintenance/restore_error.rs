//! Why a backup was not put in the place of the database: one message for each cause, with the way on.

use std::path::PathBuf;

use thiserror::Error;
use vega_domain::audit::AuditFault;
use vega_domain::ports::StoreError;

use crate::database::open_error::OpenError;
use crate::files::FileError;
use crate::maintenance::backup_copy::UnfitBackup;

/// Why a backup was not put in the place of the database. Unless a message says otherwise, everything is as it was.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The place cannot be opened.
    #[error("nothing was restored, and everything is as it was: {0}")]
    Open(#[from] OpenError),
    /// A file cannot be used.
    #[error("nothing was restored, and everything is as it was: {0}")]
    File(#[from] FileError),
    /// It is no backup that can be used.
    #[error("nothing was restored, and everything is as it was: {0}")]
    Backup(#[from] UnfitBackup),
    /// It is the database itself.
    #[error("nothing was restored: {0} is the database itself")]
    Itself(PathBuf),
    /// Its trail is not whole.
    #[error("nothing was restored: in the backup, {0}. Take another one")]
    Trail(AuditFault),
    /// Other programs have the database open.
    #[error(
        "nothing was restored: other programs have the database open{0}. End the server, every `vega` and whoever looks into it, \
         on all machines, and restore then"
    )]
    Held(String),
    /// What is there is another program's.
    #[error("nothing was restored: {0} holds tables that are not Vega's, or of another version")]
    NotOurs(String),
    /// What is there has moved away, or comes from elsewhere.
    #[error("nothing was restored: {0}. A backup is restored where the database is")]
    Moved(String),
    /// The database failed before anything was put in its place.
    #[error("nothing was restored, and everything is as it was: {0}")]
    Store(#[from] StoreError),
    /// It is there, and this machine does not know yet that it counts.
    #[error(
        "the backup is in its place, but that it counts is not kept beside the key: {0}. Mend that, and let it count: \
         `vega audit accept --reason TEXT`"
    )]
    NotKept(StoreError),
}
