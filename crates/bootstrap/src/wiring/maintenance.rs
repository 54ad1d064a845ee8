//! Maintenance of key and database for the programs: rotation, acceptance, backup, and the facts that an operator may
//! know. Passes each call to persistence; `orchestration::between_runs` decides when the key may be rotated.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use vega_domain::machine::Machine;
use vega_domain::ports::{Clock, StoreError};
use vega_domain::row_faults::RowFaults;
use vega_orchestration::{NotBetweenRuns, OrchestrationPorts, between_runs};
use vega_persistence::{
    Accepted, Backup, BackupError, DataSource, DatabaseFacts, KeyError, PreparedKey, Program, Rotation,
    RotationError, RotationStep, RowScope,
};

use crate::wiring::port_decorator::PortDecorator;

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why the root key was not rotated.
#[derive(Debug, Error)]
pub enum RotateKeyError {
    /// A run is under way, or was left by a dead process.
    #[error(transparent)]
    NotBetweenRuns(#[from] NotBetweenRuns),
    /// The rotation itself failed.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

/// Why nothing can be stored now.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The database accepts no change.
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The key is not the one with which Vega started.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The key and the database of this installation.
pub struct Maintenance {
    pub(crate) data: DataSource,
    pub(crate) ports: OrchestrationPorts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) decorator: Arc<dyn PortDecorator>,
}

impl Maintenance {
    /// Replaces the root key and seals everything anew, under the lease.
    pub async fn rotate_key(&self) -> Result<Rotation, RotateKeyError> {
        let _lease = between_runs(&*self.ports.lease, &*self.ports.history).await?;
        Ok(self
            .data
            .rotate_key(self.clock.now(), |step| self.passed(step))
            .await?)
    }

    /// Makes the key that is to follow, which the operator then copies to the other machines. Those that are `gone` need none.
    pub async fn prepare_key(&self, gone: &[String]) -> Result<PreparedKey, RotateKeyError> {
        let prepared = self.data.prepare_key(gone, self.clock.now()).await?;
        self.say_that_it_is_here().await;
        Ok(prepared)
    }

    /// Puts the prepared key in force, under the lease, when every machine has it that was seen of late and is not `gone`.
    pub async fn commit_key(&self, gone: &[String]) -> Result<Rotation, RotateKeyError> {
        let _lease = between_runs(&*self.ports.lease, &*self.ports.history).await?;
        let committed = self
            .data
            .commit_key(gone, self.clock.now(), |step| self.passed(step))
            .await?;
        self.say_that_it_is_here().await;
        Ok(committed)
    }

    fn passed(&self, step: RotationStep) {
        tracing::debug!(step = step.code(), "rotating the key");
        self.decorator.rotating(step.code());
    }

    /// The other machines learn it with the next word of this one, at the latest.
    pub(crate) async fn say_that_it_is_here(&self) {
        if let Err(error) = self.say_what_is_here(Program::Command).await {
            tracing::warn!(%error, "the other machines do not hear which keys this one has");
        }
    }

    /// Why the database as a whole is not trusted until the operator accepts it; `None` if it is trusted.
    pub async fn mistrust(&self) -> Result<Option<String>, StoreError> {
        self.data.mistrust().await
    }

    /// The rows of the database that are not the latest version that Vega wrote.
    pub async fn row_faults(&self, scope: RowScope) -> Result<RowFaults, StoreError> {
        self.data.row_faults(scope).await
    }

    /// Accepts the database as it is, for this reason. Returns what was accepted; if everything fits, nothing is
    /// written.
    pub async fn accept(&self, reason: &str) -> Result<Accepted, StoreError> {
        self.data.accept(reason, self.clock.now()).await
    }

    /// Records these faults of the rows that decide something now, unless they are already recorded.
    pub async fn record_row_faults(&self, faults: &RowFaults) -> Result<(), StoreError> {
        let recorded = self.data.record_row_faults(faults, self.clock.now()).await;
        recorded.map(drop)
    }

    /// Tries once more to write the checkpoint of the latest change, if it is missing. Returns why it is still missing.
    pub async fn missing_checkpoint(&self) -> Option<String> {
        self.data.missing_checkpoint(self.clock.now()).await
    }

    /// Copies the database into a new file. The key is not in it.
    pub async fn back_up(&self, file: &Path) -> Result<Backup, BackupError> {
        self.data.back_up(file, self.clock.now()).await
    }

    /// Facts about the database.
    pub async fn database_facts(&self) -> Result<DatabaseFacts, StoreError> {
        self.data.facts().await
    }

    /// Says which keys this machine has, and where its server is, to the machines that share the database.
    pub async fn say_what_is_here(&self, program: Program<'_>) -> Result<(), StoreError> {
        let said = self.data.say_what_is_here(program, VERSION, self.clock.now());
        said.await
    }

    /// The machines that share the database, this one among them.
    pub async fn machines(&self) -> Result<Vec<Machine>, StoreError> {
        self.data.machines(VERSION, self.clock.now()).await
    }

    /// An id that identifies the root key without revealing anything about it.
    pub fn key_id(&self) -> String {
        self.data.key_id()
    }

    /// Fails if the database accepts no change, or if values that are sealed now could not be read later.
    pub async fn prove_storage(&self) -> Result<(), StorageError> {
        self.data.prove_writable().await?;
        Ok(self.data.prove_key()?)
    }
}
