//! Protects the process: files that it creates cannot be read by other users, its memory is not written to disk in a
//! crash and cannot be read by other processes of the same user, and the programs that it starts end with it.

/// Sets the umask to 077 and switches core dumps off, for this process and for the browser that it starts, and closes
/// this process to debuggers. If the process was started as a keeper of a browser, it only does that work, and this
/// never returns. Must be called first in `main`, before any other thread exists.
pub fn careful_process() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        // Where even this is refused, nothing better can be done than to go on.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    }
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    vega_selenium::keep_if_asked();
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nix::sys::resource::{Resource, getrlimit};

    use super::*;

    #[test]
    fn files_are_private_and_no_core_is_dumped() {
        careful_process();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
