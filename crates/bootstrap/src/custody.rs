//! The operator's care for key and database: rotating the one, copying the other. Decides when that may be done; how it is
//! done is persistence's.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use vega_domain::ports::{ExecutionStateRepository, LoginLease, StoreError};
use vega_orchestration::RunError;
use vega_persistence::{
    Accepted, Backup, BackupError, DataSource, FileLoginLease, OpenError, Rotation, RotationError,
    RotationStep, RowFaults, RowScope, SqliteExecutionStateRepository,
};

use crate::settings::Settings;
use crate::wiring::Vega;

/// Why the root key was not rotated.
#[derive(Debug, Error)]
pub enum RotateKeyError {
    /// Another process signs in.
    #[error(
        "{0}. The key is rotated when no run is under way: wait for its end, or end it with `vega cancel`"
    )]
    Busy(RunError),
    /// A run of a dead process is not cleared up.
    #[error("a run was cut off and is not cleared up yet. `vega verify` does that; then rotate the key")]
    RunLeft,
    /// The rotation itself.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

impl From<StoreError> for RotateKeyError {
    fn from(error: StoreError) -> Self {
        Self::Rotation(error.into())
    }
}

impl Vega {
    /// Replaces the root key and seals everything anew, under the lease. Afterwards this `Vega` can write nothing any more.
    pub async fn rotate_key(&self) -> Result<Rotation, RotateKeyError> {
        let lease = FileLoginLease::new(self.data.clone(), Arc::clone(&self.clock));
        let _lease = match lease.acquire().await.map_err(RunError::from) {
            Ok(lease) => lease,
            Err(RunError::Store(error)) => return Err(error.into()),
            Err(busy) => return Err(RotateKeyError::Busy(busy)),
        };
        let runs = SqliteExecutionStateRepository::new(self.data.clone());
        if runs.active().await?.is_some() {
            return Err(RotateKeyError::RunLeft);
        }
        #[cfg(feature = "test-hooks")]
        let hooks = crate::test_hooks::TestHooks::wanted(&self.environment);
        let passed = |step: RotationStep| {
            tracing::debug!(step = step.code(), "rotating the key");
            #[cfg(feature = "test-hooks")]
            if let Some(hooks) = &hooks {
                hooks.reach(step.code());
            }
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
}

/// Opens the database and puts sealed values that do not open on record. What can be read is served all the same.
pub(crate) async fn open(settings: &Settings, now: DateTime<Utc>) -> Result<DataSource, OpenError> {
    let data = DataSource::open(&settings.database_url, &settings.key_source).await?;
    match data.examine_seals(now).await {
        Ok(found) => {
            for entry in found {
                tracing::error!("{}", entry.detail);
            }
        }
        Err(error) => tracing::error!(%error, "the sealed values could not be examined"),
    }
    match data.examine_rows(now).await {
        Ok(found) => {
            for entry in found {
                tracing::error!("{}: it counts for nothing", entry.detail);
            }
        }
        Err(error) => tracing::error!(%error, "the rows could not be examined"),
    }
    Ok(data)
}
