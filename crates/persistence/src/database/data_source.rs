//! An open database: its connections, and everything that is derived from its root key. One write is open at a time. A write
//! fails after the key of the database was rotated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vega_domain::ports::StoreError;

use crate::audit::chain::AuditChain;
use crate::audit::checkpoints::CheckpointFile;
use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::recorder::Recorder;
use crate::audit::row_trust::RowTrust;
use crate::database::causes::failed;
use crate::database::engine::Engine;
use crate::database::write::{Reading, Write};
use crate::key_files::key_source::KeySource;
use crate::sealing::listener_proof::KeyedListenerProof;
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;
use crate::sql;
use crate::sql::Session;

/// An open database with its root key. Clones share it.
#[derive(Debug, Clone)]
pub struct DataSource {
    pub(crate) engine: Engine,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) listener_proof: Arc<KeyedListenerProof>,
    pub(crate) recorder: Recorder,
    pub(crate) key_source: KeySource,
    pub(crate) path: PathBuf,
}

impl DataSource {
    /// The database file; of a database on a server, the file that would be this machine's. What belongs to the database and
    /// to this machine lies beside it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// The proof of a listener's address that only a holder of this database's key can give.
    pub fn listener_proof(&self) -> Arc<KeyedListenerProof> {
        Arc::clone(&self.listener_proof)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A connection for single statements.
    pub(crate) async fn session(&self) -> Result<Session, StoreError> {
        self.engine.acquire().await.map_err(failed("reach the database"))
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The files that store what the database cannot.
    pub(crate) fn spool(&self) -> Spool {
        Spool::beside(&self.path, Arc::clone(&self.sealer))
    }

    pub(crate) fn chain(&self) -> &Arc<AuditChain> {
        &self.recorder.chain
    }

    /// Decides which rows are trusted.
    pub(crate) fn trust(&self) -> &Arc<RowTrust> {
        &self.recorder.trust
    }

    pub(crate) fn checkpoints(&self) -> &CheckpointFile {
        &self.recorder.checkpoints
    }

    pub(crate) fn key_source(&self) -> &KeySource {
        &self.key_source
    }

    /// Fails if the database accepts no change now: makes one commit that changes nothing.
    pub async fn prove_writable(&self) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sql::query("UPDATE seal_key SET key_id = key_id")
            .execute(&mut write)
            .await
            .map_err(failed("try a write"))?;
        write.commit().await.map_err(failed("try a commit"))
    }

    /// Begins a write. The lock is taken at once, so that a read inside sees what the write will change. Fails where the
    /// database is not trusted.
    pub(crate) async fn write(&self) -> Result<Write, StoreError> {
        let write = self.write_whatever_it_is().await?;
        match write.mistrust() {
            None => Ok(write),
            Some(mistrust) => Err(mistrust.clone().into()),
        }
    }

    /// The same for a write of a sign-in: fails where another process has the lease by now. So what a process does that was stopped
    /// for a while changes nothing any more.
    pub(crate) async fn write_of_sign_in(&self) -> Result<Write, StoreError> {
        let mut write = self.write().await?;
        self.engine.refuse_taken_over(&mut write).await?;
        Ok(write)
    }

    /// The same for entries that are recorded even if the database is not trusted. What was lost with a server is made safe first.
    pub(crate) async fn write_whatever_it_is(&self) -> Result<Write, StoreError> {
        let write = self.begin_write().await?;
        if !matches!(write.mistrust(), Some(DatabaseMistrust::Lost { .. })) {
            return Ok(write);
        }
        self.make_safe(write).await?;
        self.begin_write().await
    }

    async fn begin_write(&self) -> Result<Write, StoreError> {
        let before = self.recorder.trust.before();
        let mut tx = self.engine.begin_write().await.map_err(failed("begin a write"))?;
        // After a rotation elsewhere, this process's key would seal and chain wrongly.
        let look = self.recorder.trust.look(&mut tx, before).await?;
        if let Some(words) = look.stopped {
            return Err(StoreError::NotAccepted(words));
        }
        if look.marks.is_ok() {
            self.engine.is_whole_at(look.history);
        }
        Write::begin(tx, self.engine.clone(), self.recorder.clone(), look).await
    }

    /// Begins a read of rows that decide something: all of its queries see the same snapshot.
    pub(crate) async fn read(&self) -> Result<Reading, StoreError> {
        let reading = Reading::begin(self.engine.begin_read(), &self.recorder.trust).await?;
        match &reading.judge.marks {
            Err(DatabaseMistrust::Lost { .. }) => {
                reading.end().await?;
                // Whoever only looks leaves that to others, and is told.
                if let Err(error) = self.write_whatever_it_is().await {
                    tracing::warn!(%error, "a loss of commits was noticed, and is not made safe yet");
                }
                Reading::begin(self.engine.begin_read(), &self.recorder.trust).await
            }
            Ok(_) => {
                self.engine.is_whole_at(reading.judge.history);
                Ok(reading)
            }
            Err(_) => Ok(reading),
        }
    }
}

#[cfg(test)]
impl DataSource {
    /// The connections of a database that is in SQLite.
    pub(crate) fn sqlite(&self) -> &crate::sqlite::engine::SqliteEngine {
        match &self.engine {
            Engine::Sqlite(engine) => engine,
            Engine::Postgres(_) => panic!("a database on a server"),
        }
    }
}
