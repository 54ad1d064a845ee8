//! Brings tokens to files: a file gets each version of its token that programs get, and is removed when there is none. What is about to be
//! put in place is on record first, so that Vega knows its own files and goes on where it died. What follows a new file is tried until it
//! has succeeded for that version. What is written, and how, is the writer's to say.

mod keeper;
mod overview;
mod ports;

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use vega_domain::file_delivery::FileDelivery;
use vega_domain::ports::{DeliveryClaim, StoreError};

use self::keeper::Keeper;
pub use self::overview::{FileOverview, Inspection};
pub use self::ports::FileDeliveryPorts;

/// How often to ask for the right to deliver that another process of this machine has, and to read what is stored.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Delivers tokens to the files of this machine.
pub struct FileDeliveryService {
    ports: FileDeliveryPorts,
}

/// What one round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// There is nothing to deliver to.
    NoFiles,
    /// Another process of this machine delivers, as a server does.
    Elsewhere,
    /// So many files are behind still.
    Made {
        /// How many.
        behind: usize,
    },
}

/// The right to deliver, and who keeps which file up to date.
type Begun<'s> = (Box<dyn DeliveryClaim>, Vec<Keeper<'s>>);

impl FileDeliveryService {
    /// Over these ports.
    pub fn new(ports: FileDeliveryPorts) -> Self {
        Self { ports }
    }

    /// Delivers for as long as it is polled, unless another process of this machine does. Dropping it ends a command that runs.
    pub async fn follow(&self) -> Infallible {
        let mut is_told = false;
        loop {
            match self.begin().await {
                Ok(Some((_claim, keepers))) if !keepers.is_empty() => {
                    join_all(keepers.into_iter().map(Keeper::go_on)).await;
                }
                // Nothing is configured, and nothing was left by an earlier configuration.
                Ok(Some(_)) => std::future::pending().await,
                Ok(None) if !is_told => {
                    tracing::info!("another process of this machine brings tokens to files");
                    is_told = true;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "no token can be brought to a file yet"),
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Tries once to bring every file up to date, unless another process of this machine does that.
    pub async fn deliver_once(&self) -> Result<Round, StoreError> {
        if self.ports.files.is_empty() {
            return Ok(Round::NoFiles);
        }
        let Some((_claim, keepers)) = self.begin().await? else {
            return Ok(Round::Elsewhere);
        };
        let behind = join_all(keepers.into_iter().map(Keeper::try_once)).await;
        Ok(Round::Made {
            behind: behind.into_iter().filter(|is_behind| *is_behind).count(),
        })
    }

    /// How each file of `vega.toml` stands, in its order.
    pub async fn overview(&self, inspection: Inspection) -> Result<Vec<FileOverview>, StoreError> {
        overview::overview(&self.ports, inspection).await
    }

    /// The right to deliver, and a keeper for each file: those of `vega.toml`, and those that it names no more.
    async fn begin(&self) -> Result<Option<Begun<'_>>, StoreError> {
        let Some(claim) = self.ports.deliveries.claim().await? else {
            return Ok(None);
        };
        // Not before: whoever had the right may have recorded something until then.
        let mut stored = self.ports.deliveries.load().await?;
        let mut keepers = Vec::new();
        for file in &self.ports.files {
            let row = stored.iter().position(|row| row.path == file.path);
            let row: Option<FileDelivery> = row.map(|row| stored.swap_remove(row));
            keepers.push(Keeper::of(&self.ports, file, row));
        }
        keepers.extend(stored.into_iter().map(|row| Keeper::of_former(&self.ports, row)));
        Ok(Some((claim, keepers)))
    }
}

#[cfg(test)]
mod tests;
