//! The reasons why a file or folder cannot be used: one message for each cause, with what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file or folder cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused an operation.
    #[error("cannot {doing} {path}: {source}. {}", advice(.source))]
    Io {
        /// What Vega was doing, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Others on this machine could read it.
    #[error("{path} can be read by other users (mode {mode:o}). Close it with: chmod {wanted:o} '{path}'")]
    TooOpen {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// Other users of this machine could replace Vega's files there.
    #[error(
        "other users can change what lies in {path} (mode {mode:o}). Close it with: {by}chmod go-w '{path}'; where others need \
         it, {}", instead(*.mode)
    )]
    Changeable {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The prefix of the command: `sudo ` where the folder is root's.
        by: &'static str,
    },
    /// Other users of this machine could write into it.
    #[error("other users can change {path} (mode {mode:o}). Close it with: {by}chmod go-w '{path}'")]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The prefix of the command.
        by: &'static str,
    },
    /// It belongs to another user, who could change it.
    #[error(
        "{path} belongs to user {owner} (mode {mode:o}), who can change it at any time. Run Vega as that user, or name a \
         place of the one that runs Vega; only if that path is Vega's alone, give it over with: {by}chown {user} '{path}'"
    )]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Its owner.
        owner: String,
        /// The user that runs Vega.
        user: u32,
        /// The prefix of the command.
        by: &'static str,
    },
}

/// The advice for a folder that others can write in. In a folder with the sticky bit, where nobody can rename what is
/// not theirs, a folder of one's own helps.
fn instead(mode: u32) -> &'static str {
    if mode & 0o1000 == 0 {
        "name a folder that is yours alone"
    } else {
        "name a folder below it, which Vega makes for itself"
    }
}

impl FileError {
    /// Text to append to the message: the setting that names another place, where another place helps.
    pub fn or_elsewhere(&self, setting: &str) -> String {
        match self {
            Self::Io { .. } => format!(", or set {setting} to another place"),
            Self::TooOpen { .. } | Self::Changeable { .. } | Self::Writable { .. } | Self::Foreign { .. } => {
                String::new()
            }
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "A file stands where a folder belongs: move it away"
        }
        io::ErrorKind::IsADirectory => "A folder stands where a file belongs: move it away",
        io::ErrorKind::PermissionDenied => "Give this user access to it (ls -ld shows its owner and mode)",
        io::ErrorKind::ReadOnlyFilesystem => "Make the file system writable",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Make room on the disk",
        _ => "Check the path and the disk",
    }
}

pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }
}
