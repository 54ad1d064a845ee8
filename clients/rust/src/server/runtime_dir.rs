//! Where the session keeps the sockets of its user. The only place of this crate that reads the environment.

use std::path::PathBuf;

/// The folder for sockets of this user, if the session names one.
#[expect(
    clippy::disallowed_methods,
    reason = "the crate's one look into the environment"
)]
pub(crate) fn runtime_dir() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    folder.is_absolute().then_some(folder)
}
