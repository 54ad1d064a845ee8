//! What deliveries go through.

use std::sync::Arc;

use vega_domain::ports::{Clock, FileDeliveries, FollowUpRunner, TokenFileInspector, TokenFileWriter};
use vega_domain::token_file::TokenFile;

use crate::hot_token_registry::HotTokenRegistry;

/// The ports of deliveries.
#[derive(Clone)]
pub struct FileDeliveryPorts {
    /// The files of `vega.toml`.
    pub files: Vec<TokenFile>,
    /// The tokens that programs get.
    pub registry: Arc<HotTokenRegistry>,
    /// What is on record.
    pub deliveries: Arc<dyn FileDeliveries>,
    /// The files as they are.
    pub inspector: Arc<dyn TokenFileInspector>,
    /// Changes them.
    pub writer: Arc<dyn TokenFileWriter>,
    /// What tells programs of them.
    pub follow_ups: Arc<dyn FollowUpRunner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}
