//! An open database: its connections, and everything that is derived from its root key. One write is open at a time. A write
//! or a read that finds the database sealed with another key takes that one up first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use vega_domain::ports::StoreError;

use crate::audit::chain::AuditChain;
use crate::audit::checkpoints::CheckpointFile;
use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::row_trust::{NoLook, RowTrust};
use crate::database::causes::failed;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::database::write::{Reading, Write};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::postgres::machine_id;
use crate::sealing::listener_proof::KeyedListenerProof;
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;
use crate::sql;
use crate::sql::Session;

/// An open database with its root key. Clones share it.
#[derive(Debug, Clone)]
pub struct DataSource {
    pub(crate) engine: Engine,
    key: Arc<ArcSwap<KeyInUse>>,
    /// Whoever takes up another key is alone.
    pub(crate) takes_up: Arc<Mutex<()>>,
    listener_proof: Arc<KeyedListenerProof>,
    spool: Spool,
    checkpoints: CheckpointFile,
    key_source: KeySource,
    path: PathBuf,
}

impl DataSource {
    /// The open database with its key; what belongs to it lies beside `path`.
    pub(crate) fn over(
        engine: Engine,
        in_use: KeyInUse,
        key: &RootKey,
        key_source: KeySource,
        path: PathBuf,
        spool: Spool,
    ) -> Self {
        Self {
            checkpoints: in_use.recorder.checkpoints.clone(),
            key: Arc::new(ArcSwap::from_pointee(in_use)),
            takes_up: Arc::default(),
            listener_proof: Arc::new(KeyedListenerProof::new(
                key,
                match &engine {
                    Engine::Sqlite(_) => None,
                    Engine::Postgres(_) => machine_id::known(&path),
                },
                &path,
            )),
            spool,
            key_source,
            path,
            engine,
        }
    }

    /// The key that this process uses now.
    pub(crate) fn key_in_use(&self) -> Arc<KeyInUse> {
        self.key.load_full()
    }

    /// From now on this key is used. What is under way ends with the former one.
    pub(crate) fn goes_on_with(&self, key: &RootKey) -> Result<(), StoreError> {
        let next = self.key_in_use().followed_by(key);
        self.spool.is_sealed_anew(Arc::clone(&next.sealer))?;
        self.listener_proof.is_followed_by(key);
        self.key.store(Arc::new(next));
        Ok(())
    }

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

    /// Inside a write or a read, that has its own.
    pub(crate) fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.key_in_use().sealer)
    }

    /// The files that store what the database cannot.
    pub(crate) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    pub(crate) fn chain(&self) -> Arc<AuditChain> {
        Arc::clone(&self.key_in_use().recorder.chain)
    }

    /// Decides which rows are trusted.
    pub(crate) fn trust(&self) -> Arc<RowTrust> {
        Arc::clone(&self.key_in_use().recorder.trust)
    }

    pub(crate) fn checkpoints(&self) -> &CheckpointFile {
        &self.checkpoints
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
        match self.begin_write_with(&self.key_in_use()).await {
            // After a rotation elsewhere, this process's key would seal and chain wrongly.
            Err(NoLook::OtherKey) => {
                self.take_up_the_key().await?;
                Ok(self.begin_write_with(&self.key_in_use()).await?)
            }
            begun => Ok(begun?),
        }
    }

    async fn begin_write_with(&self, key: &KeyInUse) -> Result<Write, NoLook> {
        let before = key.recorder.trust.before();
        let mut tx = self.engine.begin_write().await.map_err(failed("begin a write"))?;
        let look = key.recorder.trust.look(&mut tx, before).await?;
        if let Some(words) = look.stopped {
            return Err(StoreError::NotAccepted(words).into());
        }
        if look.marks.is_ok() {
            self.engine.is_whole_at(look.history);
        }
        Ok(Write::begin(tx, self.engine.clone(), key, look).await?)
    }

    async fn begin_read(&self) -> Result<Reading, StoreError> {
        match Reading::begin(self.engine.begin_read(), &self.key_in_use()).await {
            Err(NoLook::OtherKey) => {
                self.take_up_the_key().await?;
                Ok(Reading::begin(self.engine.begin_read(), &self.key_in_use()).await?)
            }
            begun => Ok(begun?),
        }
    }

    /// A transaction that sees one moment of the database, whatever that is, and the key that was in force then.
    pub(crate) async fn read_whatever_it_is(&self) -> Result<(Session, Arc<KeyInUse>), StoreError> {
        for is_last in [false, true] {
            let key = self.key_in_use();
            let mut tx = self.engine.begin_read().await.map_err(failed("begin a read"))?;
            let named: Option<Vec<u8>> = sql::query_scalar("SELECT key_id FROM seal_key")
                .fetch_optional(&mut tx)
                .await
                .map_err(failed("read which key is in force"))?;
            if named.as_deref() == Some(&key.sealer.key_id().0[..]) {
                return Ok((tx, key));
            }
            drop(tx);
            if !is_last {
                self.take_up_the_key().await?;
            }
        }
        Err(NoLook::OtherKey.into())
    }

    /// Begins a read of rows that decide something: all of its queries see the same snapshot.
    pub(crate) async fn read(&self) -> Result<Reading, StoreError> {
        let reading = self.begin_read().await?;
        match &reading.judge.marks {
            Err(DatabaseMistrust::Lost { by_this_process, .. }) => {
                let may_serve_it = *by_this_process;
                reading.end().await?;
                self.read_without_what_was_lost(may_serve_it).await
            }
            Ok(_) => {
                self.engine.is_whole_at(reading.judge.history);
                Ok(reading)
            }
            Err(_) => Ok(reading),
        }
    }

    /// Makes a loss safe, then reads. Where this process may serve what was lost, it fails until that is done: it puts that back once the
    /// loss is counted, and must not take it for gone before. Another one begins with what is there, of which nothing counts yet.
    async fn read_without_what_was_lost(&self, may_serve_it: bool) -> Result<Reading, StoreError> {
        match self.write_whatever_it_is().await {
            Ok(write) => drop(write),
            Err(error) if may_serve_it => return Err(error),
            Err(error) => tracing::warn!(%error, "a loss of commits was noticed, and is not made safe yet"),
        }
        let reading = self.begin_read().await?;
        match &reading.judge.marks {
            Err(
                lost @ DatabaseMistrust::Lost {
                    by_this_process: true,
                    ..
                },
            ) => Err(lost.clone().into()),
            _ => Ok(reading),
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
