//! The lease of an open database, whichever engine it has.

use std::sync::Arc;

use vega_domain::ports::{Clock, LoginLease};

use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::postgres::lease::RowLoginLease;
use crate::sqlite::login_lease::FileLoginLease;

impl DataSource {
    /// The lease that allows one sign-in at a time.
    pub fn login_lease(&self, clock: Arc<dyn Clock>) -> Arc<dyn LoginLease> {
        match self.engine() {
            Engine::Sqlite(_) => Arc::new(FileLoginLease::new(self.clone(), clock)),
            Engine::Postgres(engine) => Arc::new(RowLoginLease::new(self.clone(), engine.clone(), clock)),
        }
    }
}
