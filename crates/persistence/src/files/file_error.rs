//! Why a file or folder cannot be used: one message for each cause, with the way out.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file or folder cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {doing} {path}: {source}. {}", advice(.source))]
    Io {
        /// What Vega was doing, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others on this machine could read it.
    #[error("{path} can be read by other users (mode {mode:o}). Close it with: chmod {wanted:o} '{path}'")]
    TooOpen {
        /// Which one.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// Others on this machine could put their own files in the place of Vega's.
    #[error(
        "other users can change what lies in {path} (mode {mode:o}). Close it with: {by}chmod go-w '{path}'; where others need \
         it, {}", instead(*.mode)
    )]
    Changeable {
        /// Which folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What stands before the command: `sudo ` where the folder is root's.
        by: &'static str,
    },
    /// Others on this machine could write into it.
    #[error("other users can change {path} (mode {mode:o}). Close it with: {by}chmod go-w '{path}'")]
    Writable {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What stands before the command.
        by: &'static str,
    },
    /// It is another user's, who could change it.
    #[error(
        "{path} belongs to user {owner} (mode {mode:o}), who can change it at any time. Run Vega as that user, or name a \
         place of the one that runs Vega; only if that path is Vega's alone, give it over with: {by}chown {user} '{path}'"
    )]
    Foreign {
        /// Which file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whose it is.
        owner: String,
        /// Who runs Vega.
        user: u32,
        /// What stands before the command.
        by: &'static str,
    },
}

/// A folder of one's own helps below one in which nobody can rename what is not theirs.
fn instead(mode: u32) -> &'static str {
    if mode & 0o1000 == 0 {
        "name a folder that is yours alone"
    } else {
        "name a folder below it, which Vega makes for itself"
    }
}

impl FileError {
    /// To follow the text: the setting that names another place, where that is a way out.
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
