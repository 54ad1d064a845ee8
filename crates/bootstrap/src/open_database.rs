//! The database as both programs open it: what does not open or fit is put on record, and what can be read is served all the
//! same.

use chrono::{DateTime, Utc};
use vega_persistence::{DataSource, OpenError};

use crate::settings::Settings;

/// Opens the database and puts sealed values that do not open on record, and rows that do not fit.
pub(crate) async fn open_database(settings: &Settings, now: DateTime<Utc>) -> Result<DataSource, OpenError> {
    let data = DataSource::open(&settings.database_url, &settings.key_source).await?;
    match data.examine_seals(now).await {
        Ok(found) => {
            for entry in found {
                tracing::error!("{}", entry.detail);
            }
        }
        Err(error) => tracing::error!(%error, "the sealed values could not be examined"),
    }
    match data.examine_rows(now).await {
        Ok(found) => {
            for entry in found {
                tracing::error!("{}: it counts for nothing", entry.detail);
            }
        }
        Err(error) => tracing::error!(%error, "the rows could not be examined"),
    }
    Ok(data)
}
