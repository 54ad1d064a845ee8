//! Opens the database and nothing else: checks that it is ours, migrates it, sets every connection's pragmas, loads the
//! root key. One connection writes (with `BEGIN IMMEDIATE`), a few read.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use thiserror::Error;
use vega_domain::ports::StoreError;

use crate::audit_chain::AuditChain;
use crate::audit_heads::HeadsFile;
use crate::files::{self, FileError, create_private_dir, open_private};
use crate::fingerprint::Fingerprints;
use crate::first_start;
use crate::root_key::{KEY_ID_LEN, KeyError, RootKey};
use crate::seal::Sealer;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// `VEGA` in ASCII; written into the file's header by the first migration.
const APPLICATION_ID: i64 = 0x5645_4741;

/// Versions before it can corrupt a WAL database with more than one connection (the WAL-reset race).
const SQLITE_WITH_WAL_FIX: (u32, u32, u32) = (3, 51, 3);

const READERS: u32 = 4;
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the database was not opened. Nothing was changed unless the text says so.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The URL names no database that Vega can use.
    #[error(
        "the database URL is no database that Vega can use. \
         Set VEGA__DATABASE__URL to sqlite:// and a full path, such as sqlite:///home/me/vega_trade.db"
    )]
    Url,
    /// A file or folder cannot be used.
    #[error("{}{}", .0, .0.or_elsewhere("VEGA__DATABASE__URL"))]
    File(#[from] FileError),
    /// Another program's database.
    #[error(
        "{0} is not a database of Vega: it holds something else, and Vega left it as it was. \
         Set VEGA__DATABASE__URL to a path of Vega's own"
    )]
    NotOurs(PathBuf),
    /// A later Vega changed it.
    #[error(
        "{0} was changed by a newer Vega, which this one cannot read. \
         Use the newer one, or put back a backup that was made with this one"
    )]
    Newer(PathBuf),
    /// The root key is not available.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The root key is not the one that sealed the data.
    #[error(
        "{key_file} is not the key that sealed the tokens in {database}, so they cannot be read. \
         Put the right key file in its place, or name it with VEGA__KEY_FILE; \
         if it is lost for good, move the database away and sign in again"
    )]
    WrongKey {
        /// The key that was tried.
        key_file: PathBuf,
        /// The data it does not open.
        database: PathBuf,
    },
    /// The linked SQLite is too old to trust.
    #[error(
        "SQLite {0} has a fault that can corrupt this database; Vega needs 3.51.3 or newer. \
         Build Vega with the SQLite that comes with it"
    )]
    OldSqlite(String),
    /// The database failed.
    #[error(
        "cannot {doing} the database {path}: {source}. Check the disk, or restore the file from a backup"
    )]
    Database {
        /// What Vega was doing, as a verb.
        doing: &'static str,
        /// Which database.
        path: PathBuf,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An open database with its root key. Clones share it.
#[derive(Debug, Clone)]
pub struct DataSource {
    writer: SqlitePool,
    reader: SqlitePool,
    watcher: SqlitePool,
    sealer: Arc<Sealer>,
    chain: Arc<AuditChain>,
    fingerprints: Arc<Fingerprints>,
    heads: HeadsFile,
    path: PathBuf,
    key_file: PathBuf,
}

/// An open write. What is written in it is durable with its audit entries, or not at all.
pub(crate) struct Write {
    tx: Transaction<'static, Sqlite>,
    pub(crate) chain: Arc<AuditChain>,
    pub(crate) fingerprints: Arc<Fingerprints>,
}

impl Write {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl DataSource {
    /// Opens the database at `url` (`sqlite://PATH`), creating and migrating it where needed, with the root key in
    /// `key_file`, which is made at the first start.
    pub async fn open(url: &str, key_file: &Path) -> Result<Self, OpenError> {
        Self::open_as(url, key_file, SqliteSynchronous::Full).await
    }

    /// A planted defect: what is committed is not durable yet.
    #[cfg(feature = "test-hooks")]
    pub async fn open_with_synchronous_normal(url: &str, key_file: &Path) -> Result<Self, OpenError> {
        Self::open_as(url, key_file, SqliteSynchronous::Normal).await
    }

    async fn open_as(url: &str, key_file: &Path, synchronous: SqliteSynchronous) -> Result<Self, OpenError> {
        let path = sqlite_path(url)?;
        // First the key: without one there must be no database either.
        let is_there = path.metadata().is_ok_and(|there| there.len() > 0);
        RootKey::check(key_file, !is_there)?;
        if let Some(folder) = path.parent() {
            create_private_dir(folder)?;
        }
        drop(open_private(&path)?);
        // Locks stand beside the file itself: two names of one database must not give two leases.
        let path = path.canonicalize().map_err(files::io("resolve", &path))?;
        refuse_if_not_ours(&path).await?;

        let database = |doing| broken(doing, &path);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("secure_delete", "ON");

        // Two programs that start at once must not both migrate.
        let lock = lock_for_opening(&path).await?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| database("open")(error.into()))?;
        let opened = async {
            let key = prepare(&writer, &path, key_file).await?;
            drop(lock);
            let options = options.read_only(true);
            let reader = SqlitePoolOptions::new()
                .max_connections(READERS)
                .connect_with(options.clone())
                .await
                .map_err(|error| database("open")(error.into()))?;
            Ok((key, reader, watcher(options)))
        };
        match opened.await {
            Ok((key, reader, watcher)) => Ok(Self {
                writer,
                reader,
                watcher,
                sealer: Arc::new(Sealer::new(&key)),
                chain: Arc::new(AuditChain::new(&key)),
                fingerprints: Arc::new(Fingerprints::new(&key)),
                heads: HeadsFile::beside(key_file),
                path,
                key_file: key_file.to_owned(),
            }),
            Err(error) => {
                // So that no `-wal` and `-shm` stay behind.
                writer.close().await;
                Err(error)
            }
        }
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes all connections, so that the WAL is folded into the file.
    pub async fn close(&self) {
        self.watcher.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Always one and the same connection, which must not write: what others do is told from its own point of view.
    pub(crate) fn watcher(&self) -> &SqlitePool {
        &self.watcher
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    pub(crate) fn shared_sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer)
    }

    pub(crate) fn chain(&self) -> &AuditChain {
        &self.chain
    }

    pub(crate) fn key_file(&self) -> &Path {
        &self.key_file
    }

    pub(crate) fn heads(&self) -> &HeadsFile {
        &self.heads
    }

    /// Begins a write. The lock is taken at once, so that a read inside sees what the write will change.
    pub(crate) async fn write(&self) -> Result<Write, StoreError> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await;
        Ok(Write {
            tx: tx.map_err(failed("begin a write"))?,
            chain: Arc::clone(&self.chain),
            fingerprints: Arc::clone(&self.fingerprints),
        })
    }
}

/// Opened when it is first used, and never replaced by another connection as long as it works.
fn watcher(options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Migrates the database and fetches the key that belongs to it.
async fn prepare(writer: &SqlitePool, path: &Path, key_file: &Path) -> Result<RootKey, OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(writer)
        .await
        .map_err(|error| broken("read", path)(error.into()))?;
    if !has_wal_fix(&version) {
        return Err(OpenError::OldSqlite(version));
    }
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => OpenError::Newer(path.to_owned()),
        error => broken("migrate", path)(error.into()),
    })?;
    let sealed_with = any_sealed_value(writer)
        .await
        .map_err(|error| broken("read", path)(error.into()))?;
    let key = RootKey::load_or_create(key_file, sealed_with.is_some())?;
    if sealed_with.is_some_and(|envelope| envelope.get(1..=KEY_ID_LEN) != Some(&key.id[..])) {
        return Err(OpenError::WrongKey {
            key_file: key_file.to_owned(),
            database: path.to_owned(),
        });
    }
    Ok(key)
}

fn broken(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Database { doing, path, source }
}

/// Wraps what the database said.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Failed {
        doing,
        source: source.into(),
    }
}

/// For a stored value that is not what this version writes.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("a stored value cannot be read: {error}"))
}

pub(crate) fn sqlite_path(url: &str) -> Result<PathBuf, OpenError> {
    match url.strip_prefix("sqlite://") {
        Some(path) if Path::new(path).is_absolute() && !path.contains(['?', '#']) => Ok(PathBuf::from(path)),
        _ => Err(OpenError::Url),
    }
}

async fn lock_for_opening(path: &Path) -> Result<std::fs::File, OpenError> {
    let lock_path = path.with_extension("open.lock");
    let file = open_private(&lock_path)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked
        .unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))
        .map_err(files::io("lock", &lock_path))
        .map_err(OpenError::from)
}

/// Looks before anything is written: first at the file's header, and only where that leaves it open at its tables.
pub(crate) async fn refuse_if_not_ours(path: &Path) -> Result<(), OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let header = read_header(path).map_err(files::io("read", path))?;
    let id = header
        .get(68..72)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    if header.is_empty() || i64::from(id) == APPLICATION_ID {
        return Ok(());
    }
    let is_taken_back = first_start::is_taken_back(path);
    if !is_taken_back && (!header.starts_with(MAGIC) || id != 0) {
        return Err(OpenError::NotOurs(path.to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .read_only(!is_taken_back);
    let looked = async {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        // In one statement, and so in one moment: another process may be in its first start. It makes the list of
        // migrations before it gives the file its id.
        let looked: (i64, i64) = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations')",
        )
        .fetch_one(&pool)
        .await?;
        pool.close().await;
        Ok::<_, sqlx::Error>(looked)
    };
    match looked.await {
        // No id yet and no tables: a first start that did not come far, or not yet.
        Ok((APPLICATION_ID, _) | (0, 0)) => Ok(()),
        Ok(_) => Err(OpenError::NotOurs(path.to_owned())),
        Err(error) => Err(OpenError::Database {
            doing: "read",
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

fn read_header(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut header = Vec::new();
    std::fs::File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(header)
}

/// Any sealed value: its presence forbids a new key, its envelope names the right one.
async fn any_sealed_value(pool: &SqlitePool) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT sealed_access_token FROM upstox_tokens
         UNION ALL SELECT sealed_code FROM sign_in_attempts WHERE sealed_code IS NOT NULL
         UNION ALL SELECT sealed_answer FROM sign_in_attempts WHERE sealed_answer IS NOT NULL
         LIMIT 1",
    )
    .fetch_optional(pool)
    .await
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

    #[rstest]
    #[case("postgres://localhost/vega")]
    #[case("vega_trade.db")]
    #[case("sqlite://")]
    #[case("sqlite:///x?mode=memory")]
    #[case("sqlite://relative.db")]
    fn other_urls_are_refused(#[case] url: &str) {
        assert!(matches!(sqlite_path(url), Err(OpenError::Url)));
    }
}
