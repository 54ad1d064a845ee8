//! An open database: its connections, and everything that is derived from its root key. One connection writes (with
//! `BEGIN IMMEDIATE`), a few read. A write fails after the key of the database was rotated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use vega_domain::ports::StoreError;

use crate::audit::chain::AuditChain;
use crate::audit::checkpoints::CheckpointFile;
use crate::audit::recorder::Recorder;
use crate::audit::row_trust::RowTrust;
use crate::key_files::key_source::KeySource;
use crate::sealing::listener_proof::KeyedListenerProof;
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;
use crate::sqlite::database::causes::failed;
use crate::sqlite::database::watch::Watch;
use crate::sqlite::database::write::{Reading, Write};

/// An open database with its root key. Clones share it.
#[derive(Debug, Clone)]
pub struct DataSource {
    pub(super) writer: SqlitePool,
    pub(super) reader: SqlitePool,
    pub(super) watch: Arc<Watch>,
    pub(super) sealer: Arc<Sealer>,
    pub(super) listener_proof: Arc<KeyedListenerProof>,
    pub(super) recorder: Recorder,
    pub(super) key_source: KeySource,
    pub(super) path: PathBuf,
}

impl DataSource {
    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes all connections, so that the WAL is folded into the file.
    pub async fn close(&self) {
        self.watch.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }

    /// The proof of a listener's address that only a holder of this database's key can give.
    pub fn listener_proof(&self) -> Arc<KeyedListenerProof> {
        Arc::clone(&self.listener_proof)
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
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

    /// The one connection that writes, outside any transaction.
    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Fails if the database accepts no change now: makes one commit that changes nothing.
    pub async fn prove_writable(&self) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE seal_key SET key_id = key_id")
            .execute(&mut *write)
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

    /// The same for entries that are recorded even if the database is not trusted.
    pub(crate) async fn write_whatever_it_is(&self) -> Result<Write, StoreError> {
        let before = self.recorder.trust.before();
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await;
        let mut tx = tx.map_err(failed("begin a write"))?;
        // After a rotation elsewhere, this process's key would seal and chain wrongly.
        let look = self.recorder.trust.look(&mut tx, before).await?;
        Write::begin(tx, &self.path, self.recorder.clone(), look).await
    }

    /// Begins a read of rows that decide something: all of its queries see the same snapshot.
    pub(crate) async fn read(&self) -> Result<Reading, StoreError> {
        Reading::begin(&self.reader, &self.recorder.trust).await
    }
}
