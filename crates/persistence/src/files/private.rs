//! Private files and folders: 0700 and 0600 from the moment they exist, and never looser than that.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::path::Path;

use crate::files::changeable::{Place, refuse_if_others_may_change};
use crate::files::file_error::{FileError, io};

/// Creates a folder and its parents for the owner alone. An existing folder keeps its mode, and is refused where others
/// may write in it or in one above it: a user who can rename a file can replace it. In that case nothing is made.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    refuse_if_others_may_change(path, Place::Folder)?;
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io("create the folder", path))?;
    // Somebody may have been quicker.
    refuse_if_others_may_change(path, Place::Folder)
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

/// Creates an empty file for the owner alone if there is none, and refuses one that others can read or change. An
/// existing file is not opened: closing it again would release the locks that SQLite holds on it in this process.
pub(crate) fn create_private(path: &Path) -> Result<(), FileError> {
    match private_options().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_file() => {
            refuse_open_one(path)
        }
        // A folder, which cannot be opened, or a link to a file that is still to be made.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
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

/// Refuses a file or folder, if it exists, that others can read or change. Does not open it.
pub(crate) fn refuse_open_one(path: &Path) -> Result<(), FileError> {
    match path.metadata() {
        Ok(about) => refuse_if_open_beyond(path, &about, 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
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

/// Moves a completely written file to its place. Unlike `rename`, it never replaces a file that another process put
/// there meanwhile.
pub(crate) fn link(draft: &Path, place: &Path) -> Result<(), FileError> {
    std::fs::hard_link(draft, place).map_err(io("write", place))
}

/// Makes changes in the file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", folder))
}
