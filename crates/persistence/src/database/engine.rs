//! What each engine does in its own way for an open database: sessions, news of commits, closing.

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use vega_domain::ports::StoreError;

use crate::postgres::engine::PostgresEngine;
use crate::postgres::history::History;
use crate::postgres::unanswered_commit::Sent;
use crate::sql::Session;
use crate::sqlite::engine::SqliteEngine;
use crate::sqlite::wal::WalState;

/// The connections of an open database. Clones share them.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite(SqliteEngine),
    Postgres(PostgresEngine),
}

impl Engine {
    /// A transaction that writes. Nobody else writes until it ends.
    pub(crate) async fn begin_write(&self) -> Result<Session, sqlx::Error> {
        match self {
            Self::Sqlite(engine) => engine.begin_write().await,
            Self::Postgres(engine) => engine.begin_write().await,
        }
    }

    /// A transaction whose statements see one moment.
    pub(crate) async fn begin_read(&self) -> Result<Session, sqlx::Error> {
        match self {
            Self::Sqlite(engine) => engine.begin_read().await,
            Self::Postgres(engine) => engine.begin_read().await,
        }
    }

    /// A connection for single statements.
    pub(crate) async fn acquire(&self) -> Result<Session, sqlx::Error> {
        match self {
            Self::Sqlite(engine) => engine.acquire().await,
            Self::Postgres(engine) => engine.acquire().await,
        }
    }

    /// Fails, inside a write, if another process has the lease that this one had. A lock of the system is never lost.
    pub(crate) async fn refuse_taken_over(&self, write: &mut Session) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(engine) => engine.refuse_taken_over(write).await,
        }
    }

    /// Where the server was in its history when this machine last had it, before this program opened the database.
    pub(crate) fn seen_before(&self) -> Option<History> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(engine) => engine.primary.seen_before(),
        }
    }

    /// To be called when all that this machine knows was found there, so that it remembers where the server is in its history.
    pub(crate) fn is_whole_at(&self, history: Option<History>) {
        if let (Self::Postgres(engine), Some(history)) = (self, history) {
            engine.primary.is_whole_at(history);
        }
    }

    /// Whether a write was done whose commit nobody answered. `None` where that stays unknown.
    pub(crate) async fn was_done(&self, sent: &Sent) -> Option<bool> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(engine) => engine.was_done(sent).await,
        }
    }

    /// The time of the installation, where that is known already.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(engine) => engine.poll.now(),
        }
    }

    /// To be called after each commit of a write.
    pub(crate) fn committed(&self) {
        match self {
            Self::Sqlite(engine) => engine.committed(),
            // The database tells whoever listens.
            Self::Postgres(_) => {}
        }
    }

    /// Looks now for what changed. Returns whether somebody goes on looking; then all subscribers are told of what changes.
    pub(crate) async fn look_now(&self) -> bool {
        match self {
            Self::Sqlite(engine) => engine.watch.look_now().await,
            Self::Postgres(engine) => engine.poll.look_now().await,
        }
    }

    /// Counts what changes from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        match self {
            Self::Sqlite(engine) => engine.watch.subscribe(),
            Self::Postgres(engine) => engine.poll.subscribe(),
        }
    }

    /// Leaves no copy of bytes that were erased where this program can reach them.
    pub(crate) async fn leave_no_copies(&self) -> Result<WalState, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.empty_wal().await,
            // They are sealed, and lie in dead rows and in the log until the server reuses those.
            Self::Postgres(_) => Ok(WalState::OfServer),
        }
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::Postgres(engine) => engine.close().await,
        }
    }
}
