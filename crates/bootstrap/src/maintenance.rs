//! Maintenance of key and database, for the programs: rotation, acceptance, backup, and what an operator may know of both.
//! Hands each call to persistence; when the key may be rotated, `orchestration::between_runs` decides.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use vega_domain::ports::{Clock, StoreError};
use vega_domain::row_faults::RowFaults;
use vega_orchestration::{NotBetweenRuns, OrchestrationPorts, between_runs};
use vega_persistence::{
    Accepted, Backup, BackupError, DataSource, DatabaseFacts, KeyError, Rotation, RotationError,
    RotationStep, RowScope,
};

use crate::port_decorator::PortDecorator;

/// Why the root key was not rotated.
#[derive(Debug, Error)]
pub enum RotateKeyError {
    /// A run is under way or left.
    #[error(transparent)]
    NotBetweenRuns(#[from] NotBetweenRuns),
    /// The rotation itself.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

/// Why nothing can be stored now.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The database takes no change.
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The key is not what it was when Vega started.
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
    /// Replaces the root key and seals everything anew, under the lease. Afterwards this process can write nothing any more.
    pub async fn rotate_key(&self) -> Result<Rotation, RotateKeyError> {
        let _lease = between_runs(&self.ports).await?;
        let passed = |step: RotationStep| {
            tracing::debug!(step = step.code(), "rotating the key");
            self.decorator.rotating(step);
        };
        Ok(self.data.rotate_key(self.clock.now(), passed).await?)
    }

    /// Why the database as a whole counts for nothing until the operator accepts it, if it does.
    pub async fn mistrust(&self) -> Result<Option<String>, StoreError> {
        self.data.mistrust().await
    }

    /// What in the database is not what Vega wrote last.
    pub async fn row_faults(&self, scope: RowScope) -> Result<RowFaults, StoreError> {
        self.data.row_faults(scope).await
    }

    /// Lets the database count as it is, for this reason. Returns what was accepted; where everything fits, nothing is written.
    pub async fn accept(&self, reason: &str) -> Result<Accepted, StoreError> {
        self.data.accept(reason, self.clock.now()).await
    }

    /// Puts rows that do not fit on record, as far as they are not.
    pub async fn record_row_faults(&self) -> Result<(), StoreError> {
        self.data.examine_rows(self.clock.now()).await.map(drop)
    }

    /// Why the checkpoint of what was done last is missing, if it is, after one more try.
    pub async fn missing_checkpoint(&self) -> Option<String> {
        self.data.missing_checkpoint(self.clock.now()).await
    }

    /// Copies the database into a new file. The key is not in it.
    pub async fn back_up(&self, file: &Path) -> Result<Backup, BackupError> {
        self.data.back_up(file, self.clock.now()).await
    }

    /// What the database says of itself.
    pub async fn database_facts(&self) -> Result<DatabaseFacts, StoreError> {
        self.data.facts().await
    }

    /// Tells the root key from others, without telling anything of it.
    pub fn key_id(&self) -> String {
        self.data.key_id()
    }

    /// Fails where the database takes no change, or where what is sealed now could not be read later.
    pub async fn prove_storage(&self) -> Result<(), StorageError> {
        self.data.prove_writable().await?;
        Ok(self.data.prove_key()?)
    }
}
