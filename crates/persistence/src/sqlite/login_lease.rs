//! Allows one sign-in at a time: a kernel lock on a file beside the database, released the moment its process dies. The
//! row in `login_lease` only names the holder. The lock is requested inside a write, which only one process can have
//! open; so a process that is refused finds the name of the current holder, and never that of an earlier one. Who only
//! looks takes the lock for a moment as several may, and whoever requests it waits for that moment.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::files::open_private;
use crate::files::process_lock::{host_name, is_held, taken, this_process};
use crate::sql;
use crate::sql::{Session, record};

/// `LoginLease` over a locked file.
pub struct FileLoginLease {
    data: DataSource,
    clock: Arc<dyn Clock>,
    path: PathBuf,
}

impl FileLoginLease {
    /// The lease of the open database.
    pub fn new(data: DataSource, clock: Arc<dyn Clock>) -> Self {
        let path = data.path().with_extension("lease.lock");
        Self { data, clock, path }
    }

    async fn name_holder(&self, tx: &mut Session) -> Result<(), StoreError> {
        sql::query(
            "INSERT INTO login_lease (id, pid, host, since, process) VALUES (1, $1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, host = excluded.host, since = excluded.since,
                                            process = excluded.process",
        )
        .bind(std::process::id())
        .bind(host_name())
        .bind(self.clock.now())
        .bind(this_process())
        .execute(tx)
        .await
        .map_err(failed("name the holder of the lease"))?;
        Ok(())
    }
}

async fn holder(tx: &mut Session) -> Result<Option<LeaseHolder>, StoreError> {
    let row: Option<HolderRow> =
        sql::query_as("SELECT pid, host, since, process FROM login_lease WHERE id = 1")
            .fetch_optional(tx)
            .await
            .map_err(failed("read the holder of the lease"))?;
    Ok(row.map(|row| LeaseHolder {
        pid: row.pid,
        host: row.host,
        since: row.since,
        is_this_process: row.process.as_deref() == Some(this_process()),
    }))
}

#[async_trait]
impl LoginLease for FileLoginLease {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        let storage = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Failed {
            doing: "take the sign-in lease",
            source,
        };
        let file = open_private(&self.path).map_err(|error| storage(error.into()))?;
        let mut tx = self.data.write().await?;
        match taken(&file).await {
            Ok(true) => {
                self.name_holder(&mut tx).await?;
                tx.commit()
                    .await
                    .map_err(failed("name the holder of the lease"))?;
                Ok(Box::new(LockedFile(file)))
            }
            Ok(false) => Err(LeaseError::Held(holder(&mut tx).await?)),
            Err(error) => Err(storage(error.into()).into()),
        }
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        let is_held = match File::open(&self.path) {
            Ok(file) => is_held(&file),
            // Nobody ever signed in here.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        let is_held = is_held.map_err(|error| StoreError::Failed {
            doing: "look who has the sign-in lease",
            source: error.into(),
        })?;
        if !is_held {
            return Ok(None);
        }
        let mut reading = self.data.read().await?;
        holder(&mut reading).await
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Holds the lock until it is dropped: closing the file releases the lock, also when the process dies.
#[derive(Debug)]
struct LockedFile(#[expect(dead_code, reason = "held for its lock, never read")] File);

impl Lease for LockedFile {}

record! {
    struct HolderRow {
        pid: u32,
        host: String,
        since: DateTime<Utc>,
        process: Option<String>,
    }
}
