//! Opens the database for both programs: records sealed values that do not open and rows that do not fit, and lets
//! everything readable be served all the same.

use std::sync::Arc;
use std::time::Duration;

use vega_domain::ports::Clock;
use vega_persistence::{DataSource, OpenError};

use crate::machine::clock::SystemClock;
use crate::settings::Settings;
use crate::wiring::port_decorator::PortDecorator;
use crate::wiring::start_error::StartError;

/// How often a server that is away is tried again.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Waits while the database is on a server that is away: a server goes on by itself when that is back.
pub async fn database_is_reached(settings: &Settings) -> Result<(), OpenError> {
    let mut is_told = false;
    loop {
        match DataSource::reach(&settings.database_place).await {
            Err(away) if away.is_away() => {
                if !is_told {
                    tracing::warn!("{away}");
                    is_told = true;
                }
            }
            reached => return reached,
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Opens the database, and records sealed values that do not open and rows that do not fit.
pub(crate) async fn open_database(
    settings: &Settings,
    decorator: &dyn PortDecorator,
) -> Result<(DataSource, Arc<dyn Clock>), StartError> {
    let data = DataSource::open(&settings.database_place, &settings.key_source).await?;
    let machine = decorator.machine_clock(Arc::new(SystemClock::new()));
    let clock = data
        .installation_clock(machine, |clock| decorator.clock(clock))
        .await?;
    let now = clock.now();
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
    Ok((data, clock))
}
