//! Opens the database: checks that it is undamaged, migrates it, sets each connection's pragmas, loads the root key.

use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqliteConnection};

use crate::audit::recorder::Recorder;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::database::move_state::{OpenedFor, refuse_moved_file};
use crate::database::open_error::{OpenError, broken};
use crate::integrity::row_upgrade;
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::{KeyId, RootKey};
use crate::key_files::{self, Fetched, KeyInForce};
use crate::maintenance::key_following;
use crate::sealing::seal::{Sealer, key_of};
use crate::spool::slots::Spool;
use crate::sqlite::database_file::{self, BUSY_TIMEOUT, beside, lock_for_opening};
use crate::sqlite::engine::SqliteEngine;
use crate::sqlite::watch::Watch;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Versions before it can corrupt a WAL database with more than one connection (the WAL-reset race).
const SQLITE_WITH_WAL_FIX: (u32, u32, u32) = (3, 51, 3);

const READERS: u32 = 4;
/// In KiB. The usual 2 MB for each would hold a large database several times; whoever reads all of it gets by with less, for
/// the system has the pages too.
const CACHE_OF_A_READER: &str = "-512";

/// Opens the database at `url` (`sqlite://PATH`), making and migrating it where needed.
pub(crate) async fn open(url: &str, key: KeySource, opened_for: OpenedFor) -> Result<DataSource, OpenError> {
    DataSource::open_as(url, key, SqliteSynchronous::Full, opened_for).await
}

impl DataSource {
    /// An injected defect: what is committed is not durable yet.
    #[cfg(feature = "injected-defects")]
    pub async fn open_with_synchronous_normal(url: &str, key_file: &Path) -> Result<Self, OpenError> {
        Self::open_as(url, key_file.into(), SqliteSynchronous::Normal, OpenedFor::Use).await
    }

    async fn open_as(
        url: &str,
        key_source: KeySource,
        synchronous: SqliteSynchronous,
        opened_for: OpenedFor,
    ) -> Result<Self, OpenError> {
        let path = database_file::path_of(url)?;
        // First the key: without one there must be no database either.
        let is_there = path.metadata().is_ok_and(|there| there.len() > 0);
        RootKey::check(&key_source, !is_there)?;
        let path = database_file::make_ready(&path).await?;

        let database = |doing| broken(doing, &path);
        let options = options(&path, synchronous);

        // Two programs that start at once must not both migrate.
        let lock = lock_for_opening(&path).await?;
        let writer = connect_writer(&options)
            .await
            .map_err(|error| database("open")(error.into()))?;
        let opened = async {
            let key = prepare(&writer, &path, &key_source, opened_for).await?;
            let options = options.read_only(true).pragma("cache_size", CACHE_OF_A_READER);
            let reader = SqlitePoolOptions::new()
                .max_connections(READERS)
                .connect_with(options.clone())
                .await
                .map_err(|error| database("open")(error.into()))?;
            let spool = Spool::beside(&path, Arc::new(Sealer::new(&key)));
            let data = Self::over(
                Engine::Sqlite(SqliteEngine {
                    writer: writer.clone(),
                    reader,
                    watch: Watch::new(for_the_watch(options), &path, spool.clone()),
                    log: beside(&path, "-wal"),
                }),
                KeyInUse::new(
                    &key,
                    match opened_for {
                        OpenedFor::Restore => Recorder::new(&key, &KeySource::File(path.clone()), opened_for),
                        OpenedFor::Use | OpenedFor::Move => Recorder::new(&key, &key_source, opened_for),
                    },
                ),
                &key,
                key_source,
                path.clone(),
                spool,
            );
            row_upgrade::prepare(&data)
                .await
                .map_err(|error| broken("seal the rows of", &path)(error.into()))?;
            drop(lock);
            Ok(data)
        };
        match opened.await {
            Ok(data) => Ok(data),
            Err(error) => {
                // So that no `-wal` and `-shm` stay behind.
                writer.close().await;
                Err(error)
            }
        }
    }
}

/// What each connection of an open database is set up with.
pub(crate) fn options(path: &Path, synchronous: SqliteSynchronous) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("secure_delete", "ON")
}

/// The one connection that writes.
pub(crate) async fn connect_writer(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(1)
        // SQLite ends a transaction by itself when the disk fails under it. sqlx then still counts it as open, and
        // would begin no other one on this connection, ever.
        .before_acquire(|connection, _| {
            let is_stuck = connection.is_in_transaction();
            Box::pin(async move { Ok(!is_stuck) })
        })
        .connect_with(options.clone())
        .await
}

/// A connection that is opened when it is first used, and never replaced while it works.
pub(crate) fn for_the_watch(options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Checks that the database is undamaged, migrates it and fetches its key.
async fn prepare(
    writer: &SqlitePool,
    path: &Path,
    source: &KeySource,
    opened_for: OpenedFor,
) -> Result<RootKey, OpenError> {
    let read = |error: sqlx::Error| broken("read", path)(error.into());
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(writer)
        .await
        .map_err(read)?;
    if !has_wal_fix(&version) {
        return Err(OpenError::OldSqlite(version));
    }
    let found = quick_check(writer).await.map_err(read)?;
    if found != "ok" {
        let path = path.to_owned();
        return Err(OpenError::Damaged { path, found });
    }
    migrate(writer, path).await?;
    refuse_moved_file(writer, opened_for, read).await?;
    let mut connection = writer.acquire().await.map_err(read)?;
    let named = key_in_force(&mut connection).await.map_err(read)?;
    let in_force = match &named {
        Some(named) => Some(named.clone()),
        None => any_sealed_value(&mut connection).await.map_err(read)?,
    };
    match key_files::fetch(source, in_force.as_ref())? {
        Fetched::Key(key) => {
            if named.is_none() {
                name_key(&mut connection, key.id).await.map_err(read)?;
            }
            Ok(key)
        }
        // A copy that is looked at changes nothing beside the key.
        Fetched::Following(following) if opened_for == OpenedFor::Restore => Ok(following.key),
        Fetched::Following(following) => Ok(key_following::put_in_place(following, path)?),
        Fetched::Other(kept) => Err(OpenError::WrongKey {
            key_file: source.path().to_owned(),
            database: path.to_owned(),
            kept,
            elsewhere: None,
        }),
    }
}

pub(crate) async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => OpenError::Newer(path.to_owned()),
        error => broken("migrate", path)(error.into()),
    })
}

/// `ok`, or the first damage that SQLite finds.
pub(crate) async fn quick_check(database: &SqlitePool) -> Result<String, sqlx::Error> {
    let check = sqlx::query_scalar("PRAGMA quick_check(1)");
    check.fetch_one(database).await
}

/// The key that the database names; `None` before it was first opened with a key.
async fn key_in_force(connection: &mut SqliteConnection) -> Result<Option<KeyInForce>, sqlx::Error> {
    let row: Option<(Vec<u8>, Option<String>)> = sqlx::query_as("SELECT key_id, rotated_at FROM seal_key")
        .fetch_optional(connection)
        .await?;
    Ok(row.and_then(|(id, since)| {
        let id = KeyId::of(&id)?;
        Some(KeyInForce { id, since })
    }))
}

/// Records that the database belongs to this key from now on.
async fn name_key(connection: &mut SqliteConnection, id: KeyId) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO seal_key (id, key_id) VALUES (1, $1)")
        .bind(&id.0[..])
        .execute(connection)
        .await
        .map(drop)
}

/// The key of any sealed value, in a database of a Vega that did not name its key yet.
async fn any_sealed_value(connection: &mut SqliteConnection) -> Result<Option<KeyInForce>, sqlx::Error> {
    let envelope: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT sealed_access_token FROM upstox_tokens
         UNION ALL SELECT sealed_code FROM sign_in_attempts WHERE sealed_code IS NOT NULL
         UNION ALL SELECT sealed_answer FROM sign_in_attempts WHERE sealed_answer IS NOT NULL
         LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    // What is no envelope was sealed with no key that there is.
    Ok(envelope.map(|envelope| KeyInForce {
        id: key_of(&envelope).unwrap_or(KeyId([0; _])),
        since: None,
    }))
}

fn has_wal_fix(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= SQLITE_WITH_WAL_FIX
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sql;

    /// The settings that each connection must confirm.
    const PRAGMAS: [(&str, &str); 7] = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("secure_delete", "1"),
        ("trusted_schema", "0"),
        ("busy_timeout", "5000"),
        ("application_id", "1447380801"),
    ];

    async fn ask(connection: &mut SqliteConnection, pragma: &str) -> String {
        use sqlx::{Row, ValueRef};
        let query = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let row = sqlx::query(query).fetch_one(connection).await.unwrap();
        let is_text = row.try_get_raw(0).unwrap().type_info().to_string() == "TEXT";
        if is_text {
            row.get(0)
        } else {
            row.get::<i64, _>(0).to_string()
        }
    }

    #[tokio::test]
    async fn every_connection_is_set_up_to_be_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let data = DataSource::open(&url, &dir.path().join("config/vega.key"))
            .await
            .unwrap();
        // Also the ones that take the places of those that were closed.
        for _ in 0..2 {
            let mut connections = vec![data.sqlite().writer.acquire().await.unwrap()];
            for _ in 0..READERS {
                connections.push(data.sqlite().reader.acquire().await.unwrap());
            }
            assert!(
                data.sqlite().reader.try_acquire().is_none() && data.sqlite().writer.try_acquire().is_none(),
                "there are no more"
            );
            for (number, connection) in connections.iter_mut().enumerate() {
                for (pragma, value) in PRAGMAS {
                    assert_eq!(
                        ask(connection, pragma).await,
                        value,
                        "{pragma} of connection {number}"
                    );
                }
                let wrote = sqlx::query("UPDATE audit_chain SET id = 1")
                    .execute(&mut **connection)
                    .await;
                assert_eq!(wrote.is_ok(), number == 0, "only the first may write: {wrote:?}");
            }
            for connection in connections {
                connection.close().await.unwrap();
            }
        }
    }

    /// What SQLite does when a write or a commit fails on a full disk.
    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_does_not_bar_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let data = DataSource::open(&url, &dir.path().join("config/vega.key"))
            .await
            .unwrap();
        for ends_with_commit in [true, false] {
            let mut write = data.write().await.unwrap();
            sql::query("ROLLBACK").execute(&mut write).await.unwrap();
            if ends_with_commit {
                write.commit().await.unwrap_err();
            } else {
                drop(write);
            }
            let mut write = data.write().await.unwrap();
            sql::query("UPDATE seal_key SET rotated_at = NULL")
                .execute(&mut write)
                .await
                .unwrap();
            write.commit().await.unwrap();
        }
    }

    #[rstest]
    #[case("3.51.2", false)]
    #[case("3.51.3", true)]
    #[case("3.52.0", true)]
    #[case("3.46.1", false)]
    #[case("4.0.0", true)]
    #[case("nonsense", false)]
    fn only_fixed_sqlite_is_trusted(#[case] version: &str, #[case] trusted: bool) {
        assert_eq!(has_wal_fix(version), trusted);
    }
}
