//! Whether a file may be put at a path: nothing is there, or a plain file, and nobody else can change what is in its folder.

use std::fs::FileType;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use vega_domain::file_delivery::{DeliveryFailure, DeliveryProblem};

use crate::others_may_change::OthersMayChange;

/// Refuses a place where no token may be put, by what is wrong with it. Changes nothing.
pub(crate) fn examine(path: &Path, others_may_change: OthersMayChange) -> Result<(), DeliveryFailure> {
    let folder = folder_of(path);
    let unfit = |words: String| DeliveryFailure::new(DeliveryProblem::FolderUnfit, words);
    match folder.metadata() {
        Ok(about) if about.is_dir() => {}
        Ok(_) => return Err(unfit(format!("{} is no folder", folder.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(unfit(format!("{} is not there", folder.display())));
        }
        Err(error) => return Err(unfit(format!("{} cannot be examined: {error}", folder.display()))),
    }
    (others_may_change.folder)(folder).map_err(unfit)?;
    let unfit =
        |words: &str| DeliveryFailure::new(DeliveryProblem::PathUnfit, format!("{} {words}", path.display()));
    match path.symlink_metadata() {
        Ok(about) if about.is_file() => Ok(()),
        Ok(about) => Err(unfit(what(about.file_type()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unfit(&format!("cannot be examined: {error}"))),
    }
}

fn what(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "is a link"
    } else if kind.is_dir() {
        "is a folder"
    } else if kind.is_fifo() {
        "is a pipe"
    } else if kind.is_socket() {
        "is a socket"
    } else {
        "is a device"
    }
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Where the new file is until it takes the place of the old one. It has the old one's name at its end, by which some programs tell what
/// is in a file.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".vega-new.");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}
