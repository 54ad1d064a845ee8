//! What sign-ins on all machines go by, whichever engine the database has: the lease, and the time.

use std::sync::Arc;

use vega_domain::ports::{Clock, LoginLease, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::postgres::lease::RowLoginLease;
use crate::sqlite::login_lease::FileLoginLease;

impl DataSource {
    /// The time of the installation: the machine's where one machine has the database, else the database's. With what its caller puts
    /// around it: what the database dates by itself goes by that, too.
    pub async fn installation_clock(
        &self,
        machine: Arc<dyn Clock>,
        around: impl FnOnce(Arc<dyn Clock>) -> Arc<dyn Clock>,
    ) -> Result<Arc<dyn Clock>, StoreError> {
        match self.engine() {
            Engine::Sqlite(_) => Ok(around(machine)),
            Engine::Postgres(engine) => {
                let clock = engine.poll.installation_clock(machine).await;
                let clock = around(clock.map_err(failed("ask the database for the time"))?);
                engine.poll.goes_by(Arc::clone(&clock));
                Ok(clock)
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
