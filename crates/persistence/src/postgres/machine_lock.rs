//! The lock of this machine: one process of those that share its folder signs in at a time, with one window and one folder of profiles.
//! The kernel gives it back when that process dies, so a holder of the lease that had this very lock is dead once it is free.

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
    pub(crate) machine: Option<String>,
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
            machine: self.machine(&name, boot),
            _file: file,
        }))
    }

    /// Which lock it is, where no process has it now.
    pub(crate) fn if_free(&self, boot: Option<&str>) -> Option<String> {
        let mut file = File::open(&self.0).ok()?;
        let mut name = String::new();
        file.read_to_string(&mut name).ok()?;
        let is_free = !is_held(&file).ok()? && !name.is_empty();
        is_free.then(|| self.machine(&name, boot))?
    }

    fn machine(&self, name: &str, boot: Option<&str>) -> Option<String> {
        let is_own = foreign_kind(&self.0).is_none();
        boot.filter(|_| is_own).map(|boot| format!("{boot}/{name}"))
    }
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
