//! Port: deliveries of tokens to files, as they are stored.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::file_delivery::FileDelivery;

/// The right to deliver to the files of this machine; dropping it gives it back, and so does the end of the process.
pub trait DeliveryClaim: Send + Sync + fmt::Debug {}

/// Durable deliveries: the latest one for each file of this machine.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FileDeliveries: Send + Sync {
    /// Takes the right to deliver, unless another process of this machine has it. Two processes of a machine MUST NOT have it at once,
    /// and it MUST be free when it was given back (`one_process_of_a_machine_delivers`).
    async fn claim(&self) -> Result<Option<Box<dyn DeliveryClaim>>, StoreError>;

    /// Those of this machine, by path. One that anybody else wrote or changed MUST NOT be among them
    /// (`a_delivery_that_was_changed_counts_for_nothing`).
    /// What was recorded MUST be there over a restart (`a_delivery_is_there_over_a_restart_as_it_was_recorded`).
    async fn load(&self) -> Result<Vec<FileDelivery>, StoreError>;

    /// Puts this in the place of the file's earlier delivery, in one commit with its entries, of which there may be none
    /// (`a_file_has_one_delivery_and_each_change_its_entries`).
    async fn record(&self, delivery: &FileDelivery, audit: &[AuditEntry]) -> Result<(), StoreError>;

    /// Forgets the delivery to a file that `vega.toml` names no more (`a_delivery_is_forgotten_with_its_entry`).
    async fn forget(&self, path: &Path, audit: &AuditEntry) -> Result<(), StoreError>;
}
