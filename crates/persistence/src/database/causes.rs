//! The causes of a database's errors, by the codes of its engine.

use sqlx::postgres::PgDatabaseError;
use vega_domain::ports::{StorageCause, StorageKind, StoreError};

use crate::{postgres, sqlite};

/// Wraps the database's error.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::failed(doing, (cause_of(&source), kind_of(&source)), source)
}

/// The error of the database or of the system, at any depth of the chain of sources.
pub(crate) fn cause_in(error: &(dyn std::error::Error + 'static)) -> StorageCause {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return cause_of(error);
        }
        next = error.source();
    }
    StorageCause::of(error)
}

/// The cause of an error.
pub(crate) fn cause_of(error: &sqlx::Error) -> StorageCause {
    match error {
        sqlx::Error::Io(error) => StorageCause::of_io(error),
        // All connections are in use, by writes that wait for somebody else.
        sqlx::Error::PoolTimedOut => StorageCause::Busy,
        error => match error.as_database_error() {
            Some(error) if error.try_downcast_ref::<PgDatabaseError>().is_some() => {
                postgres::causes::cause(error)
            }
            Some(error) => sqlite::causes::cause(error),
            None => StorageCause::Other,
        },
    }
}

/// Whose error it is: SQLite says what it met as an error of a database, and has no connection that could break.
fn kind_of(error: &sqlx::Error) -> StorageKind {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => StorageKind::Server,
        error => match error.as_database_error() {
            Some(error) if error.try_downcast_ref::<PgDatabaseError>().is_some() => StorageKind::Server,
            _ => StorageKind::Files,
        },
    }
}
