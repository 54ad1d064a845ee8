//! What sign-ins on all machines go by, whichever engine the database has: the lease, and the time.

use std::sync::Arc;

use vega_domain::ports::{Clock, LoginLease, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::postgres::lease::RowLoginLease;
use crate::sqlite::login_lease::FileLoginLease;

impl DataSource {
    /// The time of the installation: the machine's where one machine has the database, else the database's.
    pub async fn installation_clock(&self, machine: Arc<dyn Clock>) -> Result<Arc<dyn Clock>, StoreError> {
        match self.engine() {
            Engine::Sqlite(_) => Ok(machine),
            Engine::Postgres(engine) => {
                let clock = engine.poll.installation_clock(machine).await;
                clock.map_err(failed("ask the database for the time"))
            }
        }
    }

    /// The lease that allows one sign-in at a time.
    pub fn login_lease(&self, clock: Arc<dyn Clock>) -> Arc<dyn LoginLease> {
        match self.engine() {
            Engine::Sqlite(_) => Arc::new(FileLoginLease::new(self.clone(), clock)),
            Engine::Postgres(engine) => Arc::new(RowLoginLease::new(self.clone(), engine.clone(), clock)),
        }
    }
}
