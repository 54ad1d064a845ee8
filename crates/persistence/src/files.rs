//! Private files and folders: 0700 and 0600 from the moment they exist, and never looser than that.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
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
        "other users can change what lies in {path} (mode {mode:o}). Close it with: chmod go-w '{path}'; where others need \
         it, name a folder below it, which Vega makes for itself"
    )]
    Changeable {
        /// Which folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl FileError {
    /// To follow the text: the setting that names another place, where that is a way out.
    pub fn or_elsewhere(&self, setting: &str) -> String {
        match self {
            Self::Io { .. } => format!(", or set {setting} to another place"),
            Self::TooOpen { .. } | Self::Changeable { .. } => String::new(),
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

/// Creates a folder and its parents for the owner alone. A folder that was there keeps its mode, and is refused where others
/// may write in it: who can rename a file can replace it.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io("create the folder", path))?;
    refuse_if_changeable(path)
}

#[cfg(unix)]
fn refuse_if_changeable(folder: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::MetadataExt;
    const GROUP: u32 = 0o020;
    const OTHERS: u32 = 0o002;
    let about = folder.metadata().map_err(io("examine", folder))?;
    let mode = about.mode() & 0o7777;
    if mode & OTHERS != 0 || mode & GROUP != 0 && !is_a_group_of_one(about.gid()) {
        return Err(FileError::Changeable {
            path: folder.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_changeable(_folder: &Path) -> Result<(), FileError> {
    Ok(())
}

/// Whether a group is the private one of this user, as many systems make it: of the same name, with nobody else in it. Their
/// folders are open to it from the start. Root's group counts as well, as root may do everything anyway.
#[cfg(unix)]
fn is_a_group_of_one(id: u32) -> bool {
    use nix::unistd::{Gid, Group, User, geteuid};
    let user = User::from_uid(geteuid()).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(id)).ok().flatten();
    match (user, group) {
        (Some(user), Some(group)) => {
            let nobody_else = group.mem.iter().all(|member| *member == user.name);
            nobody_else && (id == 0 || (group.name == user.name && group.gid == user.gid))
        }
        _ => false,
    }
}

/// Opens a file for reading and writing, creating it for the owner alone, and refuses one that others can read.
pub(crate) fn open_private(path: &Path) -> Result<File, FileError> {
    let mut options = private_options();
    let file = options
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io("open", path))?;
    refuse_if_open_to_others(path, &file)?;
    Ok(file)
}

/// Options that read, write and, when told to create, create for the owner alone.
pub(crate) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Creates an empty file for the owner alone where there is none, and refuses one that others can read or change. One that
/// is there is not opened: to close it again would take away the locks that SQLite holds on it in this process.
pub(crate) fn create_private(path: &Path) -> Result<(), FileError> {
    match private_options().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_file() => refuse_open_one(path),
        // A folder, which cannot be opened, or a link to a file that is still to be made.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut options = private_options();
            let opened = options.create(true).truncate(false).open(path);
            opened.map(drop).map_err(io("open", path))
        }
        Err(error) => Err(io("open", path)(error)),
    }
}

/// Refuses a file that others can read or change.
pub(crate) fn refuse_if_open_to_others(path: &Path, file: &File) -> Result<(), FileError> {
    refuse_if_open_beyond(path, &file.metadata().map_err(io("examine", path))?, 0)
}

/// Refuses a file or folder, if it is there, that others can read or change. It is not opened.
pub(crate) fn refuse_open_one(path: &Path) -> Result<(), FileError> {
    match path.metadata() {
        Ok(about) => refuse_if_open_beyond(path, &about, 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("examine", path)(error)),
    }
}

/// Refuses a file that others can read or change in other ways than these.
#[cfg(unix)]
pub(crate) fn refuse_if_open_beyond(
    path: &Path,
    file: &Metadata,
    also_allowed: u32,
) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o077 & !also_allowed != 0 {
        return Err(FileError::TooOpen {
            path: path.to_owned(),
            mode,
            wanted: if file.is_dir() { 0o700 } else { 0o600 },
        });
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn refuse_if_open_beyond(
    _path: &Path,
    _file: &Metadata,
    _also_allowed: u32,
) -> Result<(), FileError> {
    Ok(())
}

/// Gives a whole file its place. Unlike `rename` it refuses to replace what another process put there meanwhile.
pub(crate) fn link(draft: &Path, place: &Path) -> Result<(), FileError> {
    std::fs::hard_link(draft, place).map_err(io("write", place))
}

/// Makes what was done in the file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", folder))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::private(0o700, true)]
    #[case::readable(0o755, true)]
    #[case::others_may_write(0o707, false)]
    #[case::all_may_write(0o777, false)]
    #[case::sticky(0o1777, false)]
    fn a_folder_that_others_may_change_is_refused(#[case] mode: u32, #[case] is_taken: bool) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let made = create_private_dir(dir.path());
        assert_eq!(made.is_ok(), is_taken, "{made:?}");
        assert_eq!(
            dir.path().metadata().unwrap().permissions().mode() & 0o7777,
            mode,
            "it keeps its mode"
        );
        if let Err(error) = made {
            let words = error.to_string();
            assert!(
                words.contains("chmod go-w") && words.contains(&format!("{mode:o}")),
                "{words}"
            );
            // Below it there is a place.
            create_private_dir(&dir.path().join("vega")).unwrap();
        }
    }

    #[test]
    fn a_group_with_others_in_it_may_not_write_and_a_private_one_may() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o770)).unwrap();
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .unwrap()
            .unwrap();
        let group = nix::unistd::Group::from_gid(user.gid).unwrap().unwrap();
        let is_private = group.name == user.name && group.mem.iter().all(|member| *member == user.name);
        assert_eq!(create_private_dir(dir.path()).is_ok(), is_private);
        // Only root can give it to a group of others.
        if chown(dir.path(), None, Some(65_534)).is_ok() {
            assert!(create_private_dir(dir.path()).is_err());
        }
    }
}
