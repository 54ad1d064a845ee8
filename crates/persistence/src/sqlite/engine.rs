//! The connections of an open SQLite database: one writes (with `BEGIN IMMEDIATE`), a few read, and one watches.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use vega_domain::ports::StoreError;

use crate::sql::Session;
use crate::sqlite::wal::{WalState, empty_wal};
use crate::sqlite::watch::{Watch, leave_trace};

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SqliteEngine {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    pub(crate) watch: Arc<Watch>,
    /// The write-ahead log, on which a commit leaves a trace for those who watch.
    pub(crate) log: PathBuf,
}

impl SqliteEngine {
    /// The lock is taken at once, so that a read inside sees what the write will change.
    pub(crate) async fn begin_write(&self) -> Result<Session, sqlx::Error> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await;
        tx.map(Session::Sqlite)
    }

    pub(crate) async fn begin_read(&self) -> Result<Session, sqlx::Error> {
        self.reader.begin().await.map(Session::Sqlite)
    }

    pub(crate) async fn acquire(&self) -> Result<Session, sqlx::Error> {
        self.reader.acquire().await.map(Session::SqliteAlone)
    }

    /// Leaves a trace for those who watch.
    pub(crate) fn committed(&self) {
        leave_trace(&self.log);
    }

    /// The bytes that were erased are overwritten in the file, but older pages lie in the WAL still. Where another program
    /// reads them now, the last one to close the database folds them in.
    pub(crate) async fn empty_wal(&self) -> Result<WalState, StoreError> {
        empty_wal(&self.writer).await
    }

    /// Closes all connections, so that the WAL is folded into the file.
    pub(crate) async fn close(&self) {
        self.watch.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::database::data_source::DataSource;
    use crate::database::engine::Engine;

    /// The file that stands for the log has no other reason to change.
    #[tokio::test]
    async fn a_commit_leaves_a_trace_once_it_is_visible_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let mut data = DataSource::open(&url, &dir.path().join("config/vega.key"))
            .await
            .unwrap();
        let log = dir.path().join("log");
        let file = std::fs::File::create(&log).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(data.sqlite().log.is_file(), "{:?}", data.sqlite().log);
        let Engine::Sqlite(engine) = &mut data.engine else {
            panic!("a database on a server");
        };
        engine.log.clone_from(&log);
        let at = |log: &std::path::Path| log.metadata().unwrap().modified().unwrap();
        let mut refused = data.write().await.unwrap();
        let edit = "PRAGMA defer_foreign_keys = ON;
                    INSERT INTO execution_steps (run_id, api, account, position, state, updated_at)
                    VALUES (X'00', 'PRIMARY', 'main', 0, 'pending', '')";
        let Session::Sqlite(tx) = &mut *refused else {
            panic!("a database on a server");
        };
        sqlx::raw_sql(edit).execute(&mut **tx).await.unwrap();
        refused.commit().await.unwrap_err();
        assert_eq!(at(&log), SystemTime::UNIX_EPOCH);
        data.write().await.unwrap().commit().await.unwrap();
        assert!(at(&log) > SystemTime::UNIX_EPOCH);
    }
}
