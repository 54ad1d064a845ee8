//! Moves the database to another place, and puts a backup in its place: both where the rest of Vega must not be running yet. Decides what
//! comes first: the lease, and no run open.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use vega_domain::ports::{Clock, Lease, StoreError};
use vega_orchestration::{NotBetweenRuns, between_runs};
use vega_persistence::{
    DatabasePlace, ExaminedBackup, MoveError, MoveStep, Moved, OpenError, Relocation, RestoreError, Restored,
    SqlExecutionStateRepository, UnfitBackup, restore,
};

use crate::machine::clock::SystemClock;
use crate::settings::Settings;
use crate::wiring::port_decorator::PortDecorator;

/// Why the database was not moved.
#[derive(Debug, Error)]
pub enum MoveDatabaseError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its time cannot be told.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run is under way, or was left by a dead process.
    #[error(transparent)]
    NotBetweenRuns(#[from] NotBetweenRuns),
    /// The move itself.
    #[error(transparent)]
    Move(#[from] MoveError),
}

/// Moves the database to the place of this URL, under the lease, or ends such a move that was begun.
pub async fn move_database(
    settings: &Settings,
    url: &str,
    decorator: &dyn PortDecorator,
) -> Result<Moved, MoveDatabaseError> {
    let to = DatabasePlace {
        url: url.to_owned(),
        ..settings.database_place.clone()
    };
    let source = Relocation::open(&settings.database_place, &settings.key_source).await?;
    let moved = async {
        let clock = clock_of(&source, decorator).await?;
        let _lease = between(&source, &clock).await?;
        let passed = |step: MoveStep| tracing::debug!(step = step.code(), "moving the database");
        Ok(source.move_to(&to, clock.now(), passed).await?)
    };
    let moved = moved.await;
    source.close().await;
    moved
}

/// Goes on with the database as it is, where a move of it has not ended.
pub async fn cancel_move(
    settings: &Settings,
    decorator: &dyn PortDecorator,
) -> Result<(), MoveDatabaseError> {
    let source = Relocation::open(&settings.database_place, &settings.key_source).await?;
    let cancelled = async {
        let clock = clock_of(&source, decorator).await?;
        let _lease = between(&source, &clock).await?;
        Ok(source.cancel(clock.now()).await?)
    };
    let cancelled = cancelled.await;
    source.close().await;
    cancelled
}

/// Puts a backup in the place of the database, while nobody else has it open.
pub async fn restore_backup(
    settings: &Settings,
    backup: &Path,
    decorator: &dyn PortDecorator,
) -> Result<Restored, RestoreError> {
    // The database that would tell the time is what is replaced.
    let clock = decorator.clock(decorator.machine_clock(Arc::new(SystemClock::new())));
    restore(
        &settings.database_place,
        &settings.key_source,
        backup,
        clock.now(),
    )
    .await
}

/// Examines the audit trail of a backup, without the database. `checkpoints` is a copy of the file with the checkpoints; left out, the
/// one beside the key is used.
pub async fn examine_backup(
    settings: &Settings,
    backup: &Path,
    checkpoints: Option<&Path>,
) -> Result<ExaminedBackup, UnfitBackup> {
    let folder = &settings.database_place.folder;
    vega_persistence::examine_backup(&settings.key_source, folder, backup, checkpoints).await
}

async fn clock_of(source: &Relocation, decorator: &dyn PortDecorator) -> Result<Arc<dyn Clock>, StoreError> {
    let machine = decorator.machine_clock(Arc::new(SystemClock::new()));
    source
        .data()
        .installation_clock(machine, |clock| decorator.clock(clock))
        .await
}

/// The lease, while no run is open. A database that has gone has none any more.
async fn between(
    source: &Relocation,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Box<dyn Lease>>, MoveDatabaseError> {
    if source.has_gone().await? {
        return Ok(None);
    }
    let lease = source.data().login_lease(Arc::clone(clock));
    let runs = SqlExecutionStateRepository::new(source.data().clone());
    Ok(Some(between_runs(&*lease, &runs).await?))
}
