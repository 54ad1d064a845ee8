//! Opens a database for a program that only looks and must not wait: makes, migrates and examines nothing. Decides when that will do;
//! wherever it does not, `open` mends what is wrong or says it.

use sqlx::FromRow;

use crate::database::data_source::DataSource;
use crate::database::place::DatabasePlace;
use crate::key_files::key_source::KeySource;
use crate::{postgres, sqlite};

/// What tells whether a database is as `open` leaves it.
#[derive(Debug, FromRow)]
pub(crate) struct State {
    schema: Option<i64>,
    key_id: Option<Vec<u8>>,
    has_latest_changes: bool,
    /// A start records when a row that did not fit does so again.
    has_told_of_rows: bool,
    is_moving: bool,
    chain_id: Option<Vec<u8>>,
}

/// What the database says of itself, and the schema that this program knows.
pub(crate) struct Looked {
    pub(crate) state: Option<State>,
    pub(crate) newest_schema: Option<i64>,
}

/// The question for the state, in both dialects.
pub(crate) const STATE: &str = "SELECT (SELECT max(version) FROM _sqlx_migrations) AS schema,
        (SELECT key_id FROM seal_key) AS key_id,
        EXISTS (SELECT 1 FROM latest_changes) AS has_latest_changes,
        EXISTS (SELECT 1 FROM latest_changes WHERE marks LIKE '%\"told %') AS has_told_of_rows,
        EXISTS (SELECT 1 FROM database_move) AS is_moving,
        (SELECT chain_id FROM audit_chain) AS chain_id";

impl DataSource {
    /// Opens the database at `place` to look at it with the root key from `key`. Whatever is written through it fails. `None`
    /// where `open` has something to do first or to say: no database or key yet, one of another version or key, files that
    /// others can read, a token in the spool, a row that was found changed. Not for a process that has this database open
    /// already.
    pub async fn open_to_read(place: impl Into<DatabasePlace>, key: impl Into<KeySource>) -> Option<Self> {
        let (place, key) = (place.into(), key.into());
        let (opened, looked) = if postgres::server::is_of_server(&place.url) {
            Box::pin(postgres::opening_to_read::open(&place, key)).await?
        } else {
            Box::pin(sqlite::opening_to_read::open(&place.url, key)).await?
        };
        if opened.needs_nothing(looked) {
            return Some(opened);
        }
        opened.close().await;
        None
    }

    fn needs_nothing(&self, looked: Looked) -> bool {
        let Some(state) = looked.state else {
            return false;
        };
        let is_as_left = state.schema == looked.newest_schema
            && state.key_id.as_deref() == Some(&self.sealer().key_id().0[..])
            && state.has_latest_changes
            && !state.has_told_of_rows
            && !state.is_moving;
        if !is_as_left || !self.spool().is_clear() {
            return false;
        }
        let chain_id = state.chain_id.unwrap_or_default();
        self.trust().learn(&chain_id, self.engine.seen_before());
        true
    }
}
