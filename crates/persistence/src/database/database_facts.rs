//! Versions of the open database and the id of its key, for the console and its system page. Contains no secret.

use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::sql;

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
        let row: (String, i64) = sql::query_as(
            "SELECT sqlite_version(), coalesce(max(version), 0) FROM _sqlx_migrations WHERE success",
        )
        .fetch_one(&mut self.session().await?)
        .await
        .map_err(failed("ask the database for its versions"))?;
        Ok(DatabaseFacts {
            engine: "SQLite",
            engine_version: row.0,
            schema_version: row.1,
        })
    }

    /// An id that identifies the key without revealing anything about it. Each value that the key sealed contains the
    /// id.
    pub fn key_id(&self) -> String {
        self.sealer().key_id().to_string()
    }
}
