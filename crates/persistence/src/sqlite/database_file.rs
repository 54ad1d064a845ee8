//! Checks the database's files before SQLite opens them: they must be Vega's, private, on a disk of this machine, and complete.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::database::open_error::{OpenError, broken};
use crate::files::{self, create_private, create_private_dir, open_private};
use crate::spool::slots::folder_of;
use crate::sqlite::causes::is_no_database;
use crate::sqlite::filesystem;
use crate::sqlite::first_start;

/// `VEGA` in ASCII; written into the file's header by the first migration.
pub(crate) const APPLICATION_ID: i64 = 0x5645_4741;

/// How long a statement waits for another program that holds the lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepares the file for opening, and examines it before anything is written. Returns its path without links: the locks
/// are files beside the real file, because two names of one database must not give two leases.
pub(crate) async fn make_ready(path: &Path) -> Result<PathBuf, OpenError> {
    if let Some(kind) = filesystem::foreign_kind(path) {
        let path = path.to_owned();
        return Err(OpenError::NotLocal { path, kind });
    }
    if let Some(folder) = path.parent() {
        create_private_dir(folder)?;
    }
    refuse_wal_alone(path)?;
    create_private(path)?;
    let path = path.canonicalize().map_err(files::io("resolve", path))?;
    refuse_if_not_ours(&path).await?;
    for neighbour in private_neighbours(&path) {
        files::refuse_open_one(&neighbour)?;
    }
    Ok(path)
}

/// What may lie beside the database and must not be open to others either.
pub(crate) fn private_neighbours(path: &Path) -> [PathBuf; 3] {
    [beside(path, "-wal"), beside(path, "-shm"), folder_of(path)]
}

/// Refuses a write-ahead log without its database: SQLite would remove the log of an empty database, with all changes
/// that were not yet folded into it.
fn refuse_wal_alone(path: &Path) -> Result<(), OpenError> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let length = |path: &Path| path.metadata().map_or(0, |there| there.len());
    let wal = beside(&path, "-wal");
    // The database is looked at last: at a first start it is written before the log.
    if length(&wal) > 0 && length(&path) == 0 {
        return Err(OpenError::WalAlone { path, wal });
    }
    Ok(())
}

/// SQLite's own files beside the database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn path_of(url: &str) -> Result<PathBuf, OpenError> {
    match url.strip_prefix("sqlite://") {
        Some(path) if Path::new(path).is_absolute() && !path.contains(['?', '#']) => Ok(PathBuf::from(path)),
        _ => Err(OpenError::Url),
    }
}

/// A lock held while a database is opened or its key is rotated. Only one program holds it at a time.
pub(crate) async fn lock_for_opening(path: &Path) -> Result<std::fs::File, OpenError> {
    let lock_path = path.with_extension("open.lock");
    let file = open_private(&lock_path)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked
        .unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))
        .map_err(files::io("lock", &lock_path))
        .map_err(OpenError::from)
}

/// The same, unless another program has it now.
pub(crate) fn lock_for_opening_now(path: &Path) -> Option<std::fs::File> {
    let file = open_private(&path.with_extension("open.lock")).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Examines before anything is written: first the file alone, and its tables only if the file does not decide it.
pub(crate) async fn refuse_if_not_ours(path: &Path) -> Result<(), OpenError> {
    if path.metadata().is_ok_and(|there| there.len() == 0) {
        return Ok(());
    }
    let is_taken_back = first_start::is_taken_back(path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT);
    // As it lies there, without its log: nothing beside it is made or changed. One that is written at this moment may look
    // torn so; then the second look decides, which waits for the writer.
    match look(options.clone().read_only(true).immutable(true)).await {
        Ok((APPLICATION_ID, _)) => return Ok(()),
        Ok((id, _)) if id != 0 && !is_taken_back => return Err(OpenError::NotOurs(path.to_owned())),
        Err(error) if is_no_database(&error) && !is_taken_back => {
            return Err(OpenError::NotOurs(path.to_owned()));
        }
        _ => {}
    }
    match look(options.read_only(!is_taken_back)).await {
        // No id yet and no tables: a first start that did not come far, or not yet.
        Ok((APPLICATION_ID, _) | (0, 0)) => Ok(()),
        Ok(_) => Err(OpenError::NotOurs(path.to_owned())),
        Err(error) if is_no_database(&error) => Err(OpenError::NotOurs(path.to_owned())),
        Err(error) => Err(broken("read", path)(error.into())),
    }
}

/// The application id and the number of tables, without the list of migrations, which is made before the file gets its
/// id. Both come from one statement, and so from one moment: another process may be in its first start.
async fn look(options: SqliteConnectOptions) -> Result<(i64, i64), sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    let found = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations')",
    )
    .fetch_one(&pool)
    .await;
    pool.close().await;
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("mysql://localhost/vega")]
    #[case("vega_trade.db")]
    #[case("sqlite://")]
    #[case("sqlite:///x?mode=memory")]
    #[case("sqlite://relative.db")]
    fn other_urls_are_refused(#[case] url: &str) {
        assert!(matches!(path_of(url), Err(OpenError::Url)));
    }
}
