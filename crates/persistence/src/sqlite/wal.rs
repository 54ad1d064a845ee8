//! The write-ahead log: emptied where nothing older may be left in it.

use sqlx::sqlite::SqlitePool;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;

/// Whether the write-ahead log is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalState {
    /// It is empty.
    Emptied,
    /// Another program is reading its content.
    InUse,
    /// It is a database server's, which keeps it for as long as it needs it.
    OfServer,
}

/// Folds the write-ahead log into the database and empties it, so that it holds no older page.
pub(crate) async fn empty_wal(writer: &SqlitePool) -> Result<WalState, StoreError> {
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(writer)
        .await
        .map_err(failed("empty the write-ahead log"))?;
    Ok(if busy == 0 {
        WalState::Emptied
    } else {
        WalState::InUse
    })
}
