//! The lock of this machine: one process of those that share its folder signs in at a time, with one window and one folder of profiles.
//! The kernel gives it back when that process dies, so a holder of the lease that had this very lock is dead once it is free.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;
use vega_domain::ports::StoreError;

use crate::files::open_private;
use crate::files::process_lock::{is_held, taken};
use crate::sqlite::filesystem::foreign_kind;

/// Where the lock of this machine is.
#[derive(Debug)]
pub(crate) struct MachineLock(PathBuf);

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldLock {
    /// Held for its lock.
    _file: File,
    /// Which lock of which boot it is. `None` where a free lock proves nothing: its file is on another machine's disk, or the
    /// system does not tell its boots apart.
    pub(crate) machine: Option<Machine>,
}

/// The lock of one boot. Its text is in the row of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    boot: String,
    /// The file by the name in it and by its place on the disk: a copy of it is another lock.
    file: String,
}

impl Machine {
    /// Whether whoever wrote this had this very lock.
    pub(crate) fn is(&self, written: &str) -> bool {
        self.to_string() == written
    }

    /// The same for this file, in whichever boot.
    pub(crate) fn has_the_file_of(&self, written: &str) -> bool {
        written.split_once('/').is_some_and(|(_, file)| file == self.file)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.boot, self.file)
    }
}

impl MachineLock {
    /// The one beside what this machine keeps for a database.
    pub(crate) fn beside(path: &Path) -> Self {
        Self(path.with_extension("lease.lock"))
    }

    /// Takes it, unless another process has it.
    pub(crate) async fn take(&self, boot: Option<&str>) -> Result<Option<HeldLock>, StoreError> {
        let mut file = open_private(&self.0).map_err(|error| failed(error.into()))?;
        if !taken(&file).await.map_err(|error| failed(error.into()))? {
            return Ok(None);
        }
        let name = named(&mut file).map_err(|error| failed(error.into()))?;
        Ok(Some(HeldLock {
            machine: self.machine(&file, &name, boot),
            _file: file,
        }))
    }

    /// Which lock it is, where no process has it now.
    pub(crate) fn if_free(&self, boot: Option<&str>) -> Option<Machine> {
        let mut file = File::open(&self.0).ok()?;
        let mut name = String::new();
        file.read_to_string(&mut name).ok()?;
        let is_free = !is_held(&file).ok()? && !name.is_empty();
        is_free.then(|| self.machine(&file, &name, boot))?
    }

    fn machine(&self, file: &File, name: &str, boot: Option<&str>) -> Option<Machine> {
        let boot = boot.filter(|_| foreign_kind(&self.0).is_none())?;
        Some(Machine {
            boot: boot.to_owned(),
            file: format!("{name}-{}", place_of(file)?),
        })
    }
}

/// Where the file is on which disk.
#[cfg(unix)]
fn place_of(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let facts = file.metadata().ok()?;
    Some(format!("{}-{}", facts.dev(), facts.ino()))
}

/// Not known here, so a free lock proves nothing.
#[cfg(not(unix))]
fn place_of(_file: &File) -> Option<String> {
    None
}

/// The name in the file, which is given to it once.
fn named(file: &mut File) -> io::Result<String> {
    let mut name = String::new();
    file.read_to_string(&mut name)?;
    if name.is_empty() {
        name = Uuid::new_v4().to_string();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(name.as_bytes())?;
    }
    Ok(name)
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Failed {
        doing: "take the sign-in lock of this machine",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    async fn held(lock: &MachineLock, boot: &str) -> (HeldLock, Machine) {
        let held = lock.take(Some(boot)).await.unwrap().unwrap();
        let machine = held.machine.clone().unwrap();
        (held, machine)
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_lock_is_told_from_its_copy_and_over_a_boot() {
        let dir = tempfile::tempdir().unwrap();
        let (own, copied) = (dir.path().join("own"), dir.path().join("copied"));
        let (lock, copy) = (MachineLock::beside(&own), MachineLock::beside(&copied));
        let (first, machine) = held(&lock, "boot").await;
        let written = machine.to_string();
        assert!(lock.take(Some("boot")).await.unwrap().is_none());
        assert_eq!(lock.if_free(Some("boot")), None);
        drop(first);
        assert_eq!(lock.if_free(Some("boot")), Some(machine));

        let (again, same) = held(&lock, "boot").await;
        assert!(same.is(&written) && same.has_the_file_of(&written));
        drop(again);
        let (_later, later) = held(&lock, "another boot").await;
        assert!(!later.is(&written) && later.has_the_file_of(&written));

        std::fs::copy(&lock.0, &copy.0).unwrap();
        let (_other, other) = held(&copy, "boot").await;
        assert!(!other.is(&written) && !other.has_the_file_of(&written));
    }

    #[tokio::test]
    async fn without_a_boot_a_free_lock_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let lock = MachineLock::beside(&dir.path().join("own"));
        assert_eq!(lock.take(None).await.unwrap().unwrap().machine, None);
    }
}
