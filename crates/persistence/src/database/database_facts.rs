//! Versions of the open database and the id of its key, for the console and its system page. Contains no secret.

use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::sql::{self, EngineName};

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The name that its maker gives it.
    pub engine: &'static str,
    /// The version of the engine, such as `3.51.3`.
    pub engine_version: String,
    /// The number of the newest migration that was made.
    pub schema_version: i64,
}

impl DataSource {
    /// Asks the database.
    pub async fn facts(&self) -> Result<DatabaseFacts, StoreError> {
        let mut session = self.session().await?;
        let (engine, versions) = match session.engine_name() {
            EngineName::Sqlite => (
                "SQLite",
                "SELECT sqlite_version(), coalesce(max(version), 0) FROM _sqlx_migrations WHERE success",
            ),
            EngineName::Postgres => (
                "PostgreSQL",
                "SELECT current_setting('server_version'), coalesce(max(version), 0) FROM _sqlx_migrations WHERE success",
            ),
        };
        let (engine_version, schema_version) = sql::query_as(versions)
            .fetch_one(&mut session)
            .await
            .map_err(failed("ask the database for its versions"))?;
        Ok(DatabaseFacts {
            engine,
            engine_version,
            schema_version,
        })
    }

    /// An id that identifies the key without revealing anything about it. Each value that the key sealed contains the
    /// id.
    pub fn key_id(&self) -> String {
        self.sealer().key_id().to_string()
    }
}
