//! Why a command ended without its result, and the exit code that follows from it. The words are those of the error itself.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use vega_bootstrap::{
    AccessError, BackupError, MoveDatabaseError, MoveError, ReportError, RestoreError, RevocationError,
    RotateKeyError, RotationError, SettingsError, StartError, StepsError, UnfitBackup,
};
use vega_domain::ports::StoreError;
use vega_orchestration::{NotBetweenRuns, RunError};

use crate::exit::{Exit, of_run_error};

/// Why a command ended without its result.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// The configuration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database, the key or the HTTP client.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A database that does not count.
    #[error("{0}")]
    Mistrust(String),
    /// Stored state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run.
    #[error(transparent)]
    Run(#[from] Arc<RunError>),
    /// A copy of the database.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A backup that takes the place of the database.
    #[error(transparent)]
    Restore(Box<RestoreError>),
    /// A file that is looked at and is no backup.
    #[error(transparent)]
    UnfitBackup(#[from] UnfitBackup),
    /// The database's way to another place.
    #[error(transparent)]
    Move(Box<MoveDatabaseError>),
    /// An access key, or the console's link.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Taking a token back.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The root key.
    #[error(transparent)]
    RotateKey(#[from] RotateKeyError),
    /// What a program said of its token.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The terminal, or the runtime.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// JSON that could not be made.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl From<MoveDatabaseError> for CommandError {
    fn from(error: MoveDatabaseError) -> Self {
        Self::Move(Box::new(error))
    }
}

impl From<RestoreError> for CommandError {
    fn from(error: RestoreError) -> Self {
        Self::Restore(Box::new(error))
    }
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        Self::Run(Arc::new(error))
    }
}

impl CommandError {
    /// What the program ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Backup(BackupError::IsThere(_))
            | Self::UnfitBackup(UnfitBackup::NoFile(_) | UnfitBackup::NoBackup(_))
            | Self::RotateKey(RotateKeyError::Rotation(RotationError::Steps(StepsError::NoSuchMachine(_))))
            | Self::Access(AccessError::NameTaken(_) | AccessError::NoScope | AccessError::ExpiresAtOnce) => {
                Exit::Usage
            }
            Self::RotateKey(
                RotateKeyError::Rotation(RotationError::Steps(_))
                | RotateKeyError::NotBetweenRuns(NotBetweenRuns::Held(_) | NotBetweenRuns::RunLeft),
            )
            | Self::UnfitBackup(UnfitBackup::Busy) => Exit::NotAllowed,
            Self::Settings(_)
            | Self::Start(_)
            | Self::Mistrust(_)
            | Self::Store(_)
            | Self::Access(AccessError::Store(_))
            | Self::Backup(_)
            | Self::UnfitBackup(_)
            | Self::Report(ReportError::Store(_))
            | Self::Revocation(_)
            | Self::RotateKey(
                RotateKeyError::Rotation(_) | RotateKeyError::NotBetweenRuns(NotBetweenRuns::Store(_)),
            ) => Exit::Preflight,
            Self::Restore(error) => match &**error {
                RestoreError::Backup(UnfitBackup::NoFile(_) | UnfitBackup::NoBackup(_))
                | RestoreError::Itself(_) => Exit::Usage,
                RestoreError::Held(_) => Exit::NotAllowed,
                _ => Exit::Preflight,
            },
            Self::Move(error) => match &**error {
                MoveDatabaseError::Move(MoveError::SameEngine(_) | MoveError::NoMove) => Exit::Usage,
                MoveDatabaseError::NotBetweenRuns(NotBetweenRuns::Held(_) | NotBetweenRuns::RunLeft) => {
                    Exit::NotAllowed
                }
                MoveDatabaseError::Open(_)
                | MoveDatabaseError::Store(_)
                | MoveDatabaseError::Move(_)
                | MoveDatabaseError::NotBetweenRuns(NotBetweenRuns::Store(_)) => Exit::Preflight,
            },
            Self::Run(error) => of_run_error(error),
            Self::Report(_) | Self::Io(_) | Self::Json(_) => Exit::Unexpected,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_domain::ports::StoreError;

    use super::*;

    #[rstest]
    #[case::somebody_signs_in(NotBetweenRuns::Held(RunError::Held(None)), Exit::NotAllowed)]
    #[case::a_run_is_left(NotBetweenRuns::RunLeft, Exit::NotAllowed)]
    #[case::the_database_fails(
        NotBetweenRuns::Store(StoreError::Conflict("no".into())),
        Exit::Preflight
    )]
    fn a_rotation_that_waits_is_told_from_a_database_that_fails(
        #[case] error: NotBetweenRuns,
        #[case] exit: Exit,
    ) {
        let error = CommandError::RotateKey(RotateKeyError::NotBetweenRuns(error));
        assert_eq!(error.exit(), exit);
    }
}
