//! A careful process: nothing that it creates can be read by other users.

/// Sets the umask to 077. Call it first in `main`, before any other thread exists.
pub fn careful_process() {
    #[cfg(unix)]
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}
