//! What programs still get of a database that does not open: the tokens in its spool, and those in its rows, as far as SQLite
//! can read them without the `-shm` file that a full or read-only disk does not take. Nothing is made, migrated or sealed.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePool, SqlitePoolOptions};
use vega_domain::token::StoredToken;

use crate::data_source::{APPLICATION_ID, BUSY_TIMEOUT, MIGRATIONS};
use crate::database_file::path_of;
use crate::key_source::KeySource;
use crate::root_key::RootKey;
use crate::seal::Sealer;
use crate::spool::{Kind, Spool};
use crate::spool_records::{KeptToken, merge};
use crate::token_repository::load_newest;

/// The newest readable token of each API, from the database at `url` and its spool, opened with this key. `None`
/// without a key.
pub async fn tokens_without_opening(url: &str, key: impl Into<KeySource>) -> Option<Vec<StoredToken>> {
    let path = path_of(url).ok()?;
    let path = path.canonicalize().unwrap_or(path);
    let key = RootKey::load_from(&key.into()).ok()?;
    let sealer = Arc::new(Sealer::new(&key));
    let mut tokens = in_rows(&path, &sealer).await;
    for kept in in_spool(path, sealer).await {
        match tokens.iter_mut().find(|token| token.api == kept.api) {
            Some(token) => merge(token, kept),
            None => tokens.push(kept),
        }
    }
    Some(tokens)
}

async fn in_spool(database: std::path::PathBuf, sealer: Arc<Sealer>) -> Vec<StoredToken> {
    let look = move || Spool::beside(&database, sealer).load(Kind::Token);
    let kept: Vec<KeptToken> = match tokio::task::spawn_blocking(look).await {
        Ok(Ok(kept)) => kept,
        _ => Vec::new(),
    };
    let tokens = kept.iter().filter_map(|kept| Some(kept.token().ok()?.token));
    tokens.collect()
}

/// The ways of reading that need no `-shm`, the first that works: alone with the file, or, where there is no write-ahead log
/// that could be missed, as if nobody could change it.
async fn in_rows(path: &Path, sealer: &Sealer) -> Vec<StoredToken> {
    if !path.exists() {
        return Vec::new();
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
            load_newest(&pool, sealer).await.ok()
        } else {
            None
        };
        pool.close().await;
        if let Some(loaded) = loaded {
            return loaded.into_iter().flatten().collect();
        }
    }
    Vec::new()
}

/// Another program's database, and what a newer Vega wrote, may mean something else.
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
