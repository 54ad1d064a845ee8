//! Copies the whole database into one private file while Vega works: a file of SQLite, wherever the database is. The copy is called good
//! only after it was written through to the disk and examined. The key is not in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use thiserror::Error;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::move_state::{DatabaseMove, MoveState};
use crate::database::open_error::OpenError;
use crate::files::{self, FileError};
use crate::maintenance::arrival::note;
use crate::maintenance::copy;
use crate::repositories::audit_trail;
use crate::sql::{self, CommitError, Session};
use crate::sqlite;
use crate::sqlite::database_file::APPLICATION_ID;
use crate::sqlite::engine::SqliteEngine;

/// What a good backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// How many APIs have a token in it, dead or alive.
    pub apis: u32,
    /// How many entries of the audit trail are in it.
    pub audit_entries: u64,
    /// The key file that opens it. It is not in the backup.
    pub key_file: PathBuf,
}

/// Why there is no backup, in which case nothing of it is left; or what is wrong with a good backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A backup never replaces anything.
    #[error("{0} is there already, and a backup replaces nothing. Name a new file, or remove that one")]
    IsThere(PathBuf),
    /// The file cannot be made.
    #[error("no backup was made: {0}")]
    File(#[from] FileError),
    /// The database failed.
    #[error("no backup was made: {0}")]
    Store(#[from] StoreError),
    /// The copy failed its examination.
    #[error(
        "no backup was made: the copy was damaged on its way ({0}). Check the disk that it was written to"
    )]
    Damaged(String),
    /// The backup is good, but could not be recorded in the audit trail.
    #[error("the backup {file} is good, but it is not on record: {source}")]
    NotOnRecord {
        /// The backup.
        file: PathBuf,
        /// Why.
        source: StoreError,
    },
}

impl DataSource {
    /// Copies the database into `file`, which must not be there yet.
    pub async fn back_up(&self, file: &Path, at: DateTime<Utc>) -> Result<Backup, BackupError> {
        let file = std::path::absolute(file).map_err(files::io("resolve", file))?;
        if file.symlink_metadata().is_ok() {
            return Err(BackupError::IsThere(file));
        }
        // The copy gets its name when it is whole.
        let mut draft = file.clone().into_os_string();
        draft.push(format!(".draft-{}", std::process::id()));
        let draft = PathBuf::from(draft);
        let made = self.copy_into(&draft, &file).await;
        let placed = match made {
            Ok(backup) => place(&draft, &file).map(|()| backup),
            Err(error) => Err(error),
        };
        // SQLite leaves its journal where it was stopped by a full disk.
        for left in ["", "-journal"] {
            let mut name = draft.clone().into_os_string();
            name.push(left);
            let _ = std::fs::remove_file(name);
        }
        let backup = placed?;
        files::sync_folder_of(&backup.file)?;
        match self.note_backup(&backup, at).await {
            Ok(()) => Ok(backup),
            Err(source) => Err(BackupError::NotOnRecord {
                file: backup.file,
                source,
            }),
        }
    }

    async fn note_backup(&self, backup: &Backup, at: DateTime<Utc>) -> Result<(), StoreError> {
        let words = format!("{} ({} bytes)", backup.file.display(), backup.bytes);
        let mut tx = self.write().await?;
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::BackupMade, words)).await?;
        tx.commit().await.map_err(failed("put the backup on record"))
    }

    async fn copy_into(&self, draft: &Path, file: &Path) -> Result<Backup, BackupError> {
        // It is private from the moment it exists; SQLite fills files that are empty.
        let made = files::private_options().create_new(true).open(draft);
        let copy = made.map_err(files::io("make", file))?;
        let name = draft.to_str().ok_or_else(|| {
            StoreError::Unreadable(format!(
                "{} is no text, so SQLite cannot write there",
                file.display()
            ))
        })?;
        match self.engine() {
            Engine::Sqlite(SqliteEngine { writer, .. }) => {
                let copied = sqlx::query("VACUUM INTO $1").bind(name).execute(writer).await;
                copied.map(drop).map_err(failed("copy the database"))?;
            }
            Engine::Postgres(_) => {
                // One moment for all of it, while others go on writing.
                let mut from = self
                    .engine()
                    .begin_read()
                    .await
                    .map_err(failed("copy the database"))?;
                copy_rows(&mut from, draft).await?;
                from.rollback().await.map_err(failed("copy the database"))?;
            }
        }
        copy.sync_all().map_err(files::io("write", file))?;
        let bytes = copy.metadata().map_err(files::io("examine", file))?.len();
        let (apis, audit_entries) = examine(draft).await?;
        Ok(Backup {
            file: file.to_owned(),
            bytes,
            apis,
            audit_entries,
            key_file: self.key_source().path().to_owned(),
        })
    }
}

/// Copies all rows into a file that is empty so far.
pub(crate) async fn copy_rows(from: &mut Session, file: &Path) -> Result<(), StoreError> {
    copy::be_patient(from).await?;
    let unread = |error: OpenError| StoreError::Unreadable(error.to_string());
    let options =
        sqlite::opening::options(file, SqliteSynchronous::Full).journal_mode(SqliteJournalMode::Delete);
    let writer = sqlite::opening::connect_writer(&options).await;
    let writer = writer.map_err(failed("copy the database"))?;
    let copied = async {
        sqlite::opening::migrate(&writer, file).await.map_err(unread)?;
        let to = writer.begin_with("BEGIN IMMEDIATE").await;
        let mut to = Session::Sqlite(to.map_err(failed("copy the database"))?);
        take_in(from, &mut to, "", DateTime::UNIX_EPOCH).await?;
        to.commit().await.map_err(refused)
    };
    let copied = copied.await;
    writer.close().await;
    copied
}

fn refused(error: CommitError) -> StoreError {
    let (CommitError::Refused(error) | CommitError::Unanswered(error)) = error;
    failed("copy the database")(error)
}

/// Takes in all rows of another session, in the transaction of this one, in place of those that are there.
pub(crate) async fn take_in(
    from: &mut Session,
    to: &mut Session,
    url: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    note(to, &DatabaseMove::new(MoveState::Arriving, url), at).await?;
    copy::clear(to).await?;
    copy::copy(from, to).await?;
    sql::query("DELETE FROM database_move")
        .execute(to)
        .await
        .map(drop)
        .map_err(failed("copy the database"))
}

/// Gives the copy its name, never over another file.
fn place(draft: &Path, file: &Path) -> Result<(), BackupError> {
    let is_there = |error: &FileError| match error {
        FileError::Io { source, .. } => source.kind() == ErrorKind::AlreadyExists,
        _ => false,
    };
    let placed = match files::link(draft, file) {
        Err(error) if !is_there(&error) => {
            // Memory sticks know no second names. There an empty file holds the place.
            let held = files::private_options().create_new(true).open(file);
            held.and_then(|_| std::fs::rename(draft, file))
                .map_err(files::io("write", file))
        }
        linked => linked,
    };
    match placed {
        Err(error) if is_there(&error) => Err(BackupError::IsThere(file.to_owned())),
        placed => Ok(placed?),
    }
}

/// Reads the whole copy as it lies there. Returns how many APIs and audit entries are in it.
async fn examine(draft: &Path) -> Result<(u32, u64), BackupError> {
    let damaged = |error: sqlx::Error| BackupError::Damaged(error.to_string());
    let options = SqliteConnectOptions::new()
        .filename(draft)
        .read_only(true)
        .immutable(true);
    let copy = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .map_err(damaged)?;
    let found: (String, i64, u32, i64) = sqlx::query_as(
        "SELECT (SELECT group_concat(quick_check, '; ') FROM pragma_quick_check), \
             (SELECT application_id FROM pragma_application_id), \
             (SELECT count(DISTINCT api) FROM upstox_tokens WHERE api NOT LIKE '@%'), (SELECT count(*) FROM audit_events)",
    )
    .fetch_one(&copy)
    .await
    .map_err(damaged)?;
    copy.close().await;
    match found {
        (found, APPLICATION_ID, apis, entries) if found == "ok" => Ok((apis, entries.unsigned_abs())),
        (found, APPLICATION_ID, ..) => Err(BackupError::Damaged(found)),
        (_, id, ..) => Err(BackupError::Damaged(format!("it bears the mark {id:x}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examines the copy as it is on the disk, and not what SQLite has in memory.
    #[tokio::test]
    async fn a_copy_that_was_damaged_on_its_way_is_not_called_good() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let data = DataSource::open(&url, &dir.path().join("config/vega.key"))
            .await
            .unwrap();
        let draft = dir.path().join("draft");
        data.copy_into(&draft, &draft).await.unwrap();
        let whole = std::fs::read(&draft).unwrap();
        let refused = async |bytes: &[u8]| {
            std::fs::write(&draft, bytes).unwrap();
            match examine(&draft).await {
                Err(BackupError::Damaged(found)) => found,
                other => panic!("{other:?}"),
            }
        };
        let mut a_page = whole.clone();
        a_page[4096 * 5] ^= 0xff;
        refused(&a_page).await;
        refused(&whole[..whole.len() / 2]).await;
        refused(&whole[..0]).await;
        refused(b"dear diary").await;
        let mut another_mark = whole.clone();
        another_mark[68] ^= 1;
        let found = refused(&another_mark).await;
        assert!(found.contains("57454741"), "{found}");
        std::fs::write(&draft, &whole).unwrap();
        assert_eq!(examine(&draft).await.unwrap(), (0, 0));
    }
}
