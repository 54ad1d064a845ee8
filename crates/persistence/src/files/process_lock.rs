//! A lock on a file that one process of this machine has: the kernel releases it the moment that process dies. Who only looks takes
//! it for a moment as several may, and whoever requests it waits for that moment.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use uuid::Uuid;

/// Far longer than a look takes.
const A_LOOK: Duration = Duration::from_millis(5);
/// How many looks in a row whoever requests the lock waits for.
const LOOKS: u32 = 200;

/// Takes the lock for one alone, unless another one holds it so.
pub(crate) async fn taken(file: &File) -> io::Result<bool> {
    let mut looks = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if looks == LOOKS || is_held(file)? => return Ok(false),
            // Somebody looks.
            Err(TryLockError::WouldBlock) => looks += 1,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        tokio::time::sleep(A_LOOK).await;
    }
}

/// Whether one alone has the lock.
pub(crate) fn is_held(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A name that no other process has, on any machine and at any time.
pub(crate) fn this_process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| Uuid::new_v4().to_string())
}

#[cfg(unix)]
pub(crate) fn host_name() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| String::from("this machine"),
        |name| name.nodename().to_string_lossy().into_owned(),
    )
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    String::from("this machine")
}
