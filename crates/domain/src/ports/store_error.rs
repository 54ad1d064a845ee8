//! Why durable state could not be read or changed, and what to do about each cause. No advice here does harm when the
//! cause was guessed wrong: nothing is ever removed.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use thiserror::Error;

use super::lease_holder::LeaseHolder;
use crate::failure::{Failure, FailureReason};

/// Why durable state could not be read or changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else changed the same thing first; nothing was written.
    #[error("{0}")]
    Conflict(String),
    /// A sealed value did not open: wrong key, damage, or a value moved from another row. Or the key was rotated
    /// meanwhile, and nothing was written.
    #[error("{0}")]
    Unreadable(String),
    /// A row is not what Vega wrote there last: it was changed, put back or taken away outside Vega. It counts for nothing.
    #[error("{0}")]
    ChangedOutside(String),
    /// The database as a whole is not the one that Vega left, and the operator has not accepted it, or it is in another place now: nothing of it counts and
    /// nothing is written.
    #[error("{0}")]
    NotAccepted(String),
    /// Another process has the sign-in lease that this one had; nothing was written.
    #[error("{}", taken_over_by(.0.as_ref()))]
    TakenOver(Option<LeaseHolder>),
    /// The token died more than a day ago, and its bytes were erased.
    #[error("the token died long ago and was erased")]
    Erased,
    /// The database failed. The text says what Vega was doing; the source what the database said.
    #[error("could not {doing}: {source}. {}", StorageFault::advice_in(.source.as_ref()))]
    Failed {
        /// What Vega was doing.
        doing: &'static str,
        /// What the database said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Where a database is, as far as it matters for what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// In files of this machine.
    Files,
    /// On a server.
    Server,
}

/// What was wrong with the database or its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageCause {
    /// Another program, or another part of this one, keeps it to itself.
    Busy,
    /// No room, or no quota.
    Full,
    /// It may not be written to: the disk, the folder or the file.
    ReadOnly,
    /// It cannot be opened: a missing folder, too many open files, a path that is too long.
    CannotOpen,
    /// Its contents contradict themselves, or are no database.
    Damaged,
    /// The disk did not do what it was asked.
    Disk,
    /// The server that has it cannot be reached, or does not answer.
    Away,
    /// None of these.
    Other,
}

impl StorageCause {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Busy,
        Self::Full,
        Self::ReadOnly,
        Self::CannotOpen,
        Self::Damaged,
        Self::Disk,
        Self::Away,
        Self::Other,
    ];

    /// By what an adapter or the system says, at whichever depth it stands.
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref::<StorageFault>() {
                return fault.cause;
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return Self::of_io(error);
            }
            next = error.source();
        }
        Self::Other
    }

    /// By what the system says.
    pub fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::Full,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::ReadOnly,
            Kind::ResourceBusy | Kind::WouldBlock => Self::Busy,
            Kind::NotFound | Kind::NotADirectory | Kind::IsADirectory | Kind::InvalidFilename => {
                Self::CannotOpen
            }
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::BrokenPipe
            | Kind::UnexpectedEof
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown => Self::Away,
            _ if error.raw_os_error().is_some() => Self::Disk,
            _ => Self::Other,
        }
    }

    /// What to do about it, as a sentence without its full stop: whatever Vega was doing.
    pub fn advice(self, kind: StorageKind) -> &'static str {
        match kind {
            StorageKind::Files => self.advice_on_files(),
            StorageKind::Server => self.advice_on_a_server(),
        }
    }

    fn advice_on_files(self) -> &'static str {
        match self {
            Self::Busy => {
                "Close what else has the database open, such as a database browser or a copy that is being made, and try \
                 again"
            }
            Self::Full => "Make room on the disk of the data directory, or raise its quota, and try again",
            Self::ReadOnly => {
                "Let this user write to the data directory and its files (ls -ld shows their owner and mode), and look \
                 whether their disk is mounted read-only"
            }
            Self::CannotOpen => {
                "Look whether the data directory is there, with every folder above it, and whether this user may open so \
                 many files (ulimit -n)"
            }
            Self::Damaged => {
                "Leave its files as they are and copy all of them; then put a backup in their place, and check the disk"
            }
            Self::Disk => {
                "Look into the system's log for errors of the disk, and copy the data directory to another one before you \
                 go on"
            }
            Self::Away => self.advice_on_a_server(),
            Self::Other => {
                "Look whether the data directory is there and belongs to this user; report this if it is"
            }
        }
    }

    fn advice_on_a_server(self) -> &'static str {
        match self {
            Self::Busy => {
                "Another session keeps the database, or all of its connections, to itself: look for it in pg_stat_activity on the \
                 server, and try again"
            }
            Self::Full => "Make room on the disk of the database server, and try again",
            Self::ReadOnly => {
                "Look whether the server takes writes (SELECT pg_is_in_recovery() says that it only follows another one), and \
                 whether Vega's user owns the tables"
            }
            Self::CannotOpen => {
                "Look whether the database and the user that the URL names are there, and whether the server lets that user in \
                 from here (pg_hba.conf, VEGA__DATABASE__PASSWORD_FILE)"
            }
            Self::Damaged => {
                "Stop the database server, leave its files as they are and copy all of them; then restore a copy, and check its \
                 disk"
            }
            Self::Disk => {
                "Look into the log of the database server for errors of its disk, and copy its files to another one before you go on"
            }
            Self::Away => {
                "Look whether the database server runs and can be reached from here, and whether the network between works. A \
                 vega-server tries again by itself"
            }
            Self::Other => "Look into the log of the database server; report this if nothing is wrong there",
        }
    }

    /// The same for a step of a run.
    pub fn reason(self) -> FailureReason {
        match self {
            Self::Busy => FailureReason::StorageBusy,
            Self::Full => FailureReason::StorageFull,
            Self::ReadOnly => FailureReason::StorageReadOnly,
            Self::Damaged => FailureReason::StorageDamaged,
            Self::Disk => FailureReason::StorageDisk,
            Self::Away => FailureReason::StorageAway,
            Self::CannotOpen | Self::Other => FailureReason::Storage,
        }
    }
}

/// What a database said, with the cause that its adapter knows.
#[derive(Debug)]
struct StorageFault {
    cause: StorageCause,
    kind: StorageKind,
    source: Box<dyn StdError + Send + Sync>,
}

impl StorageFault {
    /// What to do about what an adapter or the system says, at whichever depth it stands. The system speaks of files.
    fn advice_in(error: &(dyn StdError + 'static)) -> &'static str {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref::<Self>() {
                return fault.cause.advice(fault.kind);
            }
            next = error.source();
        }
        StorageCause::of(error).advice(StorageKind::Files)
    }
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl StdError for StorageFault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.source()
    }
}

impl StoreError {
    /// The database failed, for a cause that is known.
    pub fn failed(
        doing: &'static str,
        (cause, kind): (StorageCause, StorageKind),
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self::Failed {
            doing,
            source: Box::new(StorageFault { cause, kind, source }),
        }
    }
}

impl From<StoreError> for Failure {
    /// What to do stands in the reason's advice, so it is not said here too.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Failed { doing, source } => Self::new(
                StorageCause::of(&*source).reason(),
                format!("could not {doing}: {source}"),
            ),
            taken_over @ StoreError::TakenOver(_) => {
                Self::new(FailureReason::TakenOver, taken_over.to_string())
            }
            other => Self::new(FailureReason::Storage, other.to_string()),
        }
    }
}

fn taken_over_by(holder: Option<&LeaseHolder>) -> String {
    match holder {
        Some(holder) => {
            format!("another Vega took the sign-in over, because nothing was heard of this one: {holder}")
        }
        None => "another Vega took the sign-in over, because nothing was heard of this one, or the last commits were lost with a \
                 database server"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_says_what_to_do_and_nothing_that_does_harm() {
        for cause in StorageCause::ALL {
            let [files, server] = [StorageKind::Files, StorageKind::Server].map(|kind| cause.advice(kind));
            for words in [files, server, cause.reason().advice()] {
                for harm in ["delete", "remove", "rm ", "begin anew"] {
                    assert!(!words.to_lowercase().contains(harm), "{cause:?}: {words}");
                }
            }
            assert!(cause.reason().is_of_storage(), "{cause:?}");
        }
    }

    #[test]
    fn nobody_is_sent_to_his_own_disk_for_a_server() {
        for cause in StorageCause::ALL {
            let failed = StoreError::failed("save a step", (cause, StorageKind::Server), "it failed");
            let words = failed.to_string();
            assert!(words.contains("server"), "{words}");
            assert!(!words.contains("data directory"), "{words}");
        }
    }

    #[test]
    fn a_cause_is_found_at_any_depth_and_told_once() {
        let busy = (StorageCause::Busy, StorageKind::Files);
        let failed = StoreError::failed("save a step", busy, "database is locked");
        let words = failed.to_string();
        assert!(
            words.starts_with("could not save a step: database is locked. Close what else"),
            "{words}"
        );
        let failure = Failure::from(failed);
        assert_eq!(failure.reason, FailureReason::StorageBusy);
        assert_eq!(failure.detail, "could not save a step: database is locked");

        let deep = StoreError::Failed {
            doing: "write",
            source: io::Error::from(io::ErrorKind::StorageFull).into(),
        };
        assert_eq!(Failure::from(deep).reason, FailureReason::StorageFull);
        let plain = StoreError::Failed {
            doing: "write",
            source: "something".into(),
        };
        assert_eq!(Failure::from(plain).reason, FailureReason::Storage);
    }
}
