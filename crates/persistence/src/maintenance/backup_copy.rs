//! A backup that is looked into: in a copy in a folder of its own, since it may be of an earlier version and on a medium that takes no
//! writes. Decides which files are taken for a backup at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use thiserror::Error;
use vega_domain::ports::StoreError;

use crate::database::data_source::DataSource;
use crate::database::move_state::OpenedFor;
use crate::database::open_error::OpenError;
use crate::database::place::DatabasePlace;
use crate::files::{FileError, create_private_dir, io, private_options};
use crate::key_files::key_source::KeySource;
use crate::sqlite;
use crate::sqlite::database_file::beside;

/// Why a file is no backup that can be used.
#[derive(Debug, Error)]
pub enum UnfitBackup {
    /// It does not open.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// A file cannot be read, or not be copied.
    #[error("{0}")]
    File(#[from] FileError),
    /// There is no such file.
    #[error("{0} is no file. Name a backup that `vega backup` made")]
    NoFile(PathBuf),
    /// It holds something else.
    #[error("{0} is not a database of Vega")]
    NoBackup(PathBuf),
    /// A database that is in use, or was, has a log.
    #[error(
        "beside {0} lies a log with what is not in it, so it is not a backup of `vega backup` but the file of a database. Make a backup \
         of that one, and name it"
    )]
    HasLog(PathBuf),
    /// It is not what Vega left.
    #[error(
        "the backup is not what Vega wrote: {0}. Take another one; where there is none, the guide \"Keys and backup\" says how its file \
         is put in place by hand"
    )]
    NotTrusted(String),
    /// One copy is made at a time.
    #[error("another `vega` looks at a backup just now. Try again when it has ended")]
    Busy,
    /// It was opened and cannot be read.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A copy that is removed when it is dropped.
pub(crate) struct BackupCopy {
    folder: PathBuf,
    pub(crate) file: PathBuf,
}

impl BackupCopy {
    /// The path of a file that may be a backup.
    pub(crate) fn named(backup: &Path) -> Result<PathBuf, UnfitBackup> {
        let backup = std::path::absolute(backup).map_err(io("resolve", backup))?;
        if !backup.is_file() {
            return Err(UnfitBackup::NoFile(backup));
        }
        if beside(&backup, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
            return Err(UnfitBackup::HasLog(backup));
        }
        Ok(backup)
    }

    /// Copies the backup into this folder, which is for it alone.
    pub(crate) fn of(backup: &Path, folder: PathBuf) -> Result<Self, UnfitBackup> {
        let copy = Self {
            file: folder.join("vega_trade.db"),
            folder,
        };
        // Left by a look that died.
        copy.remove();
        create_private_dir(&copy.folder)?;
        let mut from = File::open(backup).map_err(io("read", backup))?;
        let made = private_options().create_new(true).open(&copy.file);
        let mut to = made.map_err(io("make", &copy.file))?;
        std::io::copy(&mut from, &mut to).map_err(io("copy", backup))?;
        to.sync_all().map_err(io("write", &copy.file))?;
        // An empty file would be taken for a first start.
        if !sqlite::opening_to_read::names_vega(&copy.file).unwrap_or(false) {
            return Err(UnfitBackup::NoBackup(backup.to_owned()));
        }
        Ok(copy)
    }

    /// The last entry of its audit trail, as it is stored.
    pub(crate) async fn last_entry(&self) -> Option<i64> {
        let options = SqliteConnectOptions::new().filename(&self.file).read_only(true);
        let mut looks = options.connect().await.ok()?;
        let last = sqlx::query_scalar("SELECT max(id) FROM audit_events")
            .fetch_one(&mut looks)
            .await;
        let _ = looks.close().await;
        last.ok().flatten()
    }

    pub(crate) async fn open(&self, key: &KeySource) -> Result<DataSource, UnfitBackup> {
        let url = format!("sqlite://{}", self.file.display());
        let place = DatabasePlace::from(&url);
        Ok(DataSource::open_for(&place, key.clone(), OpenedFor::Restore).await?)
    }

    fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for BackupCopy {
    fn drop(&mut self) {
        self.remove();
    }
}
