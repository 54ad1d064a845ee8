//! The row of the lease: who has it, and what tells that its process lives.

use chrono::{DateTime, Utc};
use vega_domain::ports::{LeaseHolder, StoreError};

use crate::database::causes::failed;
use crate::files::process_lock::this_process;
use crate::postgres::machine_lock::Machine;
use crate::sql::{self, Session, record};

record! {
    #[derive(Debug, Clone)]
    pub(crate) struct LeaseRow {
        pub(crate) epoch: i64,
        pub(crate) heartbeat: i64,
        pub(crate) released: bool,
        pid: i64,
        host: String,
        since: DateTime<Utc>,
        process: String,
        /// Where its process has the lock of a file too.
        machine: Option<String>,
    }
}

impl LeaseRow {
    pub(crate) async fn read(session: &mut Session) -> Result<Option<Self>, StoreError> {
        let row = "SELECT epoch, heartbeat, released, pid, host, since, process, machine FROM login_lease WHERE id = 1";
        sql::query_as(row)
            .fetch_optional(session)
            .await
            .map_err(failed("read the holder of the lease"))
    }

    /// The same inside a write, with its lock: nobody says that he lives between this look and the commit.
    pub(crate) async fn read_locked(write: &mut Session) -> Result<Option<Self>, StoreError> {
        let row = "SELECT epoch, heartbeat, released, pid, host, since, process, machine FROM login_lease WHERE id = 1 FOR UPDATE";
        sql::query_as(row)
            .fetch_optional(write)
            .await
            .map_err(failed("read the holder of the lease"))
    }

    /// Whether its process is on this machine and had this lock.
    pub(crate) fn had(&self, lock: Option<&Machine>) -> bool {
        let written = self.machine.as_deref();
        lock.zip(written).is_some_and(|(lock, written)| lock.is(written))
    }

    /// Whether it kept what it received in this folder, perhaps before this machine was started anew.
    pub(crate) fn had_the_folder_of(&self, lock: Option<&Machine>) -> bool {
        let written = self.machine.as_deref();
        lock.zip(written)
            .is_some_and(|(lock, written)| lock.has_the_file_of(written))
    }

    pub(crate) fn holder(&self) -> LeaseHolder {
        LeaseHolder {
            pid: u32::try_from(self.pid).unwrap_or_default(),
            host: self.host.clone(),
            since: self.since,
            is_this_process: self.process == this_process(),
        }
    }
}
