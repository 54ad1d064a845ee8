//! Opens a database where its URL says it is.

use crate::database::data_source::DataSource;
use crate::database::move_state::OpenedFor;
use crate::database::open_error::OpenError;
use crate::database::place::DatabasePlace;
use crate::key_files::key_source::KeySource;
use crate::{postgres, sqlite};

impl DataSource {
    /// Opens the database at `place`, making and migrating it where needed, with the root key from `key`: a path, or another
    /// source. A key file is made at the first start.
    pub async fn open(place: impl Into<DatabasePlace>, key: impl Into<KeySource>) -> Result<Self, OpenError> {
        Self::open_for(&place.into(), key.into(), OpenedFor::Use).await
    }

    pub(crate) async fn open_for(
        place: &DatabasePlace,
        key: KeySource,
        opened_for: OpenedFor,
    ) -> Result<Self, OpenError> {
        if postgres::server::is_of_server(&place.url) {
            Box::pin(postgres::opening::open(place, key, opened_for)).await
        } else {
            Box::pin(sqlite::opening::open(&place.url, key, opened_for)).await
        }
    }

    /// Fails where the database is on a server that cannot be reached now, or takes no writes.
    pub async fn reach(place: &DatabasePlace) -> Result<(), OpenError> {
        if postgres::server::is_of_server(&place.url) {
            Box::pin(postgres::opening::reach(place)).await.map(drop)
        } else {
            Ok(())
        }
    }
}
