//! How the files stand, for whoever looks: what is on record, what programs get, and, where that is asked for, whether the next delivery
//! would be refused. Changes nothing.

use vega_domain::file_delivery::{DeliveryFailure, FileDelivery, FileStanding};
use vega_domain::ids::Generation;
use vega_domain::ports::StoreError;
use vega_domain::token_file::TokenFile;

use super::keeper::version_of;
use super::ports::FileDeliveryPorts;

/// What an overview is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspection {
    /// What is on record, and the places of the files and their templates as they are.
    OfPlaces,
    /// What is on record.
    OfRecords,
}

/// How a file stands.
#[derive(Debug, Clone)]
pub struct FileOverview {
    /// Its row in `vega.toml`.
    pub file: TokenFile,
    /// Whether it has what it should have.
    pub standing: FileStanding,
    /// The generation that programs get now.
    pub served: Option<Generation>,
    /// The latest delivery.
    pub delivery: Option<FileDelivery>,
    /// What the next delivery would be refused for.
    pub obstacle: Option<DeliveryFailure>,
}

impl FileOverview {
    /// Whether somebody has to look after it.
    pub fn is_behind(&self) -> bool {
        self.standing == FileStanding::Behind || self.obstacle.is_some()
    }
}

/// Each file of `vega.toml`, in its order.
pub(super) async fn overview(
    ports: &FileDeliveryPorts,
    inspection: Inspection,
) -> Result<Vec<FileOverview>, StoreError> {
    if ports.files.is_empty() {
        return Ok(Vec::new());
    }
    let mut stored = ports.deliveries.load().await?;
    let mut files = Vec::new();
    for file in &ports.files {
        let row = stored.iter().position(|row| row.path == file.path);
        let delivery = row.map(|row| stored.swap_remove(row));
        let read = |name| {
            ports
                .registry
                .read(name, |hot| (version_of(hot), hot.token().generation))
        };
        let served = file.names().iter().find_map(read);
        let version = served.as_ref().map(|(version, _)| version);
        let obstacle = match inspection {
            Inspection::OfPlaces => ports.inspector.examine(file).await.err(),
            Inspection::OfRecords => None,
        };
        files.push(FileOverview {
            standing: FileStanding::of(delivery.as_ref(), version, file.on_expiry),
            served: served.map(|(_, generation)| generation),
            file: file.clone(),
            delivery,
            obstacle,
        });
    }
    Ok(files)
}
