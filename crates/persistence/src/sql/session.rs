//! A connection of the database while one task uses it, in a transaction or outside of one.

use sqlx::pool::PoolConnection;
use sqlx::{Error, Sqlite, Transaction};

use crate::postgres::history::History;
use crate::postgres::session::PgSession;
use crate::sql::commit_error::CommitError;

/// A connection in use. A transaction ends without effect when it is dropped.
pub(crate) enum Session {
    Sqlite(Transaction<'static, Sqlite>),
    /// Each statement for itself.
    SqliteAlone(PoolConnection<Sqlite>),
    Postgres(PgSession),
}

/// The engine that a session belongs to, where its SQL differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineName {
    Sqlite,
    Postgres,
}

impl Session {
    pub(crate) fn engine_name(&self) -> EngineName {
        match self {
            Self::Sqlite(_) | Self::SqliteAlone(_) => EngineName::Sqlite,
            Self::Postgres(_) => EngineName::Postgres,
        }
    }

    /// Where the server was in its history when this connection was made, if the database is on one.
    pub(crate) fn history(&self) -> Option<History> {
        match self {
            Self::Sqlite(_) | Self::SqliteAlone(_) => None,
            Self::Postgres(session) => Some(session.history),
        }
    }

    /// The number of the write that is open here, where the engine tells one.
    pub(crate) fn write_number(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) | Self::SqliteAlone(_) => None,
            Self::Postgres(session) => session.write.clone(),
        }
    }

    /// Makes the transaction's changes durable.
    pub(crate) async fn commit(self) -> Result<(), CommitError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await.map_err(CommitError::Refused),
            Self::SqliteAlone(_) => Ok(()),
            Self::Postgres(session) => session.commit().await,
        }
    }

    /// Ends the transaction without effect.
    pub(crate) async fn rollback(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::SqliteAlone(_) => Ok(()),
            Self::Postgres(session) => session.rollback().await,
        }
    }
}
