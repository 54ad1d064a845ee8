//! Why a database is not opened: one message for each cause, with the way out.

use std::path::{Path, PathBuf};

use thiserror::Error;
use vega_domain::ports::{StorageCause, StorageKind};

use crate::database::causes::cause_in;
use crate::files::FileError;
use crate::key_files::key_to_copy::KeyToCopy;
use crate::key_files::root_key::KeyError;
use crate::postgres::connection::NoConnection;
use crate::postgres::fitness::Unfit;
use crate::postgres::server::BadServerUrl;

/// Why the database was not opened. Nothing was changed unless the text says so.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The URL names no database that Vega can use.
    #[error(
        "the database URL is no database that Vega can use. \
         Set VEGA__DATABASE__URL to sqlite:// and a full path, such as sqlite:///home/me/vega_trade.db, or to a database on a \
         server, such as postgres://vega@db.example/vega"
    )]
    Url,
    /// A file or folder cannot be used.
    #[error("{}{}", .0, .0.or_elsewhere("VEGA__DATABASE__URL"))]
    File(#[from] FileError),
    /// The database is on another machine's disk, where SQLite cannot keep its promises.
    #[error(
        "{path} would be on {kind}, where SQLite's locks and its shared memory cannot be trusted: two programs could \
         damage the database. Set VEGA__DATABASE__URL to a path on a disk of this machine; `vega backup` may write \
         to the other place"
    )]
    NotLocal {
        /// Where the database is or would be.
        path: PathBuf,
        /// The kind of file system.
        kind: String,
    },
    /// Another program's database.
    #[error(
        "{0} is not a database of Vega: it holds something else, and Vega left it as it was. \
         Set VEGA__DATABASE__URL to a path of Vega's own"
    )]
    NotOurs(PathBuf),
    /// Its contents contradict themselves.
    #[error(
        "the database {path} is damaged: {found}. Vega left it as it was. Move it and its -wal and -shm files away and \
         put a backup in its place (`vega backup` makes them), or sign in again without it; then check the disk"
    )]
    Damaged {
        /// Which database.
        path: PathBuf,
        /// The first problem that SQLite found.
        found: String,
    },
    /// Its file is missing or empty, but the log with its latest changes is still there.
    #[error(
        "{path} is missing or empty, but {wal} holds what was written to it last. Vega makes no new database over it. \
         Put the database back beside it, or move both away to begin anew"
    )]
    WalAlone {
        /// The database.
        path: PathBuf,
        /// Its write-ahead log.
        wal: PathBuf,
    },
    /// A later Vega changed it.
    #[error(
        "{0} was changed by a newer Vega, which this one cannot read. \
         Use the newer one, or put back a backup that was made with this one"
    )]
    Newer(PathBuf),
    /// It is in another place, or is not wholly here yet.
    #[error("{0}")]
    Moved(String),
    /// The root key is not available.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The root key is not the one that sealed the data.
    #[error(
        "{key_file} is not the key that sealed the tokens in {database}, so they cannot be read. {}",
        way_to_the_key(.kept.as_deref(), .elsewhere.as_ref())
    )]
    WrongKey {
        /// The key that was tried.
        key_file: PathBuf,
        /// The data it does not open.
        database: PathBuf,
        /// A file that holds the right one.
        kept: Option<PathBuf>,
        /// How it gets here from another machine.
        elsewhere: Option<KeyToCopy>,
    },
    /// The linked SQLite is too old to trust.
    #[error(
        "SQLite {0} has a fault that can corrupt this database; Vega needs 3.51.3 or newer. \
         Build Vega with the SQLite that comes with it"
    )]
    OldSqlite(String),
    /// The URL of a server says too little, or too much.
    #[error("the database URL {why}")]
    ServerUrl {
        /// What is wrong with it.
        why: BadServerUrl,
    },
    /// No server that takes writes was reached.
    #[error("there is no connection to the database {server}: {why}")]
    NotConnected {
        /// The database.
        server: String,
        /// Why.
        why: Box<NoConnection>,
    },
    /// What this machine keeps there belongs to another database on a server.
    #[error(
        "{0} belongs to another database of this name, on another server or an earlier one: Vega runs with that one now, or it has \
         not taken yet what is kept there, and this one must not get it. End the other Vega, or start it once more; move the folder \
         away if that database is gone for good"
    )]
    OthersFolder(PathBuf),
    /// The server does not keep what it is given, or not in a way that Vega can use.
    #[error("the server of the database {server} {unfit}")]
    Unfit {
        /// The database.
        server: String,
        /// What is wrong with it.
        unfit: Unfit,
    },
    /// The database on a server failed.
    #[error("cannot {doing} the database {server}: {source}. {}", cause_in(.source.as_ref()).advice(StorageKind::Server))]
    OnServer {
        /// What Vega was doing, as a verb.
        doing: &'static str,
        /// The database.
        server: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database failed.
    #[error("cannot {doing} the database {path}: {source}. {}", cause_in(.source.as_ref()).advice(StorageKind::Files))]
    Database {
        /// What Vega was doing, as a verb.
        doing: &'static str,
        /// Which database.
        path: PathBuf,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// Whether the database is on a server that may be reached later without anybody's help.
    pub fn is_away(&self) -> bool {
        match self {
            Self::NotConnected { why, .. } => why.is_away(),
            // All connections may be taken, or another machine may be held up within a write.
            Self::OnServer { source, .. } => {
                matches!(cause_in(source.as_ref()), StorageCause::Away | StorageCause::Busy)
            }
            _ => false,
        }
    }
}

fn way_to_the_key(kept: Option<&Path>, elsewhere: Option<&KeyToCopy>) -> String {
    match (kept, elsewhere) {
        (Some(kept), _) => format!(
            "{} is: put it in the place of the other one, or name it with VEGA__KEY_FILE",
            kept.display()
        ),
        (None, Some(elsewhere)) => {
            format!("It was rotated while this machine was away. {elsewhere}, and start Vega again")
        }
        (None, None) => "Put the right key file in its place, or name it with VEGA__KEY_FILE; \
                 if it is lost for good, move the database away and sign in again"
            .into(),
    }
}

/// Wraps the database's error; the message names what Vega was doing.
pub(crate) fn broken(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| {
        if is_damage(&*source) {
            let found = source.to_string();
            return OpenError::Damaged { path, found };
        }
        OpenError::Database { doing, path, source }
    }
}

fn is_damage(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    cause_in(error) == StorageCause::Damaged
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    /// From SQLite itself to the message for the operator: no message advises a restore where the database is only
    /// locked.
    #[tokio::test]
    async fn what_sqlite_says_reaches_the_advice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let of = |mode: &str| format!("sqlite://{}?mode={mode}", path.display());
        let open = async |mode: &str| {
            SqlitePoolOptions::new()
                .max_connections(1)
                .connect(&of(mode))
                .await
        };
        let missing = open("rw").await.unwrap_err();
        let words = broken("open", &path)(missing.into()).to_string();
        assert!(words.contains("is there, with every folder above it"), "{words}");

        let first = open("rwc").await.unwrap();
        sqlx::query("CREATE TABLE t (x)").execute(&first).await.unwrap();
        let second = open("rw").await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 0")
            .execute(&second)
            .await
            .unwrap();
        let held = first.begin_with("BEGIN EXCLUSIVE").await.unwrap();
        let locked = sqlx::query("INSERT INTO t VALUES (1)").execute(&second).await;
        let words = broken("write", &path)(locked.unwrap_err().into()).to_string();
        assert!(words.contains("Close what else has the database open"), "{words}");
        assert!(!words.contains("backup"), "{words}");

        let read_only = open("ro").await.unwrap();
        drop(held);
        let refused = sqlx::query("INSERT INTO t VALUES (1)").execute(&read_only).await;
        let words = broken("write", &path)(refused.unwrap_err().into()).to_string();
        assert!(words.contains("mounted read-only"), "{words}");

        sqlx::query("PRAGMA max_page_count = 2")
            .execute(&first)
            .await
            .unwrap();
        let full = sqlx::query("INSERT INTO t VALUES (zeroblob(1000000))")
            .execute(&first)
            .await;
        let words = broken("write", &path)(full.unwrap_err().into()).to_string();
        assert!(words.contains("Make room on the disk"), "{words}");
    }
}
