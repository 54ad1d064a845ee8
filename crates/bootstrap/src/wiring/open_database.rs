//! Opens the database for both programs: records sealed values that do not open and rows that do not fit, and lets
//! everything readable be served all the same.

use chrono::{DateTime, Utc};
use vega_persistence::{DataSource, OpenError};

use crate::settings::Settings;

/// Opens the database, and records sealed values that do not open and rows that do not fit.
pub(crate) async fn open_database(settings: &Settings, now: DateTime<Utc>) -> Result<DataSource, OpenError> {
    let data = DataSource::open(&settings.database_place, &settings.key_source).await?;
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
