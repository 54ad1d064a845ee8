//! Degraded reads: the tokens of a database that does not open, from its spool and from its rows, as far as SQLite can
//! read them without the `-shm` file, which cannot be made on a full or read-only disk. Creates, migrates and seals
//! nothing.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePool, SqlitePoolOptions};
use vega_domain::ports::{LoadedToken, StoreError};
use vega_domain::token::{NewToken, StoredToken};

use crate::audit::checkpoints::CheckpointFile;
use crate::audit::latest_changes::Marks;
use crate::audit::recorder::Recorder;
use crate::database::causes::failed;
use crate::database::key_in_use::KeyInUse;
use crate::database::move_state::OpenedFor;
use crate::database::write::Reading;
use crate::files::{Place, refuse_if_others_may_change};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::repositories::audit_rows::chain_id;
use crate::repositories::token_repository::load_newest;
use crate::sealing::seal::Sealer;
use crate::spool::records::{KeptToken, put_kept};
use crate::spool::slots::{Kind, Spool};
use crate::sql::Session;
use crate::sqlite::database_file::{APPLICATION_ID, BUSY_TIMEOUT, path_of};
use crate::sqlite::opening::MIGRATIONS;

/// The newest readable token of each API, from the database at `url` and its spool, opened with this key. `None`
/// without a key.
pub async fn tokens_without_opening(url: &str, key: impl Into<KeySource>) -> Option<Vec<StoredToken>> {
    let path = path_of(url).ok()?;
    // Not even then from where others may put theirs.
    refuse_if_others_may_change(path.parent()?, Place::Folder).ok()?;
    let path = path.canonicalize().unwrap_or(path);
    let source = key.into();
    let key = RootKey::load_from(&source).ok()?;
    let key = KeyInUse::new(&key, Recorder::new(&key, &source, OpenedFor::Use));
    let checkpoints = CheckpointFile::at(&source);
    let (mut loaded, marks) = match in_rows(&path, &key).await {
        Rows::Read(loaded, marks) => (loaded, marks),
        Rows::Unread => (Vec::new(), without_rows(checkpoints).await),
        Rows::DoNotCount => return Some(Vec::new()),
    };
    for kept in in_spool(path, key.sealer).await {
        put_kept(&mut loaded, marks.as_revoked(kept));
    }
    Some(loaded.into_iter().flatten().collect())
}

/// The marks where the database cannot say what was revoked: every token that is older than the last checkpoint of a
/// revocation is treated as revoked.
async fn without_rows(checkpoints: CheckpointFile) -> Arc<Marks> {
    let last = tokio::task::spawn_blocking(move || checkpoints.last_revocation()).await;
    let mut marks = Marks::default();
    if let Ok(Some(last)) = last {
        marks.revoke_all(last);
    }
    Arc::new(marks)
}

async fn in_spool(database: std::path::PathBuf, sealer: Arc<Sealer>) -> Vec<NewToken> {
    let look = move || Spool::beside(&database, sealer).load(Kind::Token);
    let kept: Vec<KeptToken> = match tokio::task::spawn_blocking(look).await {
        Ok(Ok(kept)) => kept,
        _ => Vec::new(),
    };
    kept.iter().filter_map(|kept| kept.token().ok()).collect()
}

/// The result of reading without opening.
enum Rows {
    Read(Vec<LoadedToken>, Arc<Marks>),
    Unread,
    /// The database is not the one that Vega wrote, so its spool is not trusted either.
    DoNotCount,
}

/// Tries the ways of reading that need no `-shm`, and uses the first that works: with exclusive access to the file, or,
/// where there is no write-ahead log whose content could be missed, as if nobody could change the file.
async fn in_rows(path: &Path, key: &KeyInUse) -> Rows {
    if !path.exists() {
        return Rows::Unread;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF");
    let log = path.with_extension("db-wal");
    let is_folded = log.metadata().map_or(true, |log| log.len() == 0);
    let alone = options.clone().locking_mode(SqliteLockingMode::Exclusive);
    let untouched = is_folded.then(|| options.read_only(true).immutable(true));
    for options in [Some(alone), untouched].into_iter().flatten() {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await;
        let Ok(pool) = pool else { continue };
        let loaded = if is_of_this_version(&pool).await {
            read(&pool, key).await.ok()
        } else {
            None
        };
        pool.close().await;
        if let Some(loaded) = loaded {
            return loaded;
        }
    }
    Rows::Unread
}

async fn read(database: &SqlitePool, key: &KeyInUse) -> Result<Rows, StoreError> {
    let connection = database.acquire().await.map_err(failed("load the tokens"))?;
    let trust = &key.recorder.trust;
    trust.learn(&chain_id(&mut Session::SqliteAlone(connection)).await?, None);
    let tx = async { database.begin().await.map(Session::Sqlite) };
    let reading = Reading::begin(tx, key).await?;
    let Ok(marks) = reading.judge.marks.clone() else {
        return Ok(Rows::DoNotCount);
    };
    Ok(Rows::Read(load_newest(reading).await?, marks))
}

/// Whether the schema is of this version: the tables of another program, or of a newer Vega, may have other meanings.
async fn is_of_this_version(database: &SqlitePool) -> bool {
    let id: Result<i64, _> = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(database)
        .await;
    if id.ok() != Some(APPLICATION_ID) {
        return false;
    }
    let newest: Result<i64, _> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(database)
        .await;
    newest.ok() == MIGRATIONS.iter().map(|migration| migration.version).max()
}
