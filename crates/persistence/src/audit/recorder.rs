//! What each write needs to go on record under the root key in force: chain values, fingerprints, what is trusted, and the
//! checkpoints.

use std::sync::Arc;

use crate::audit::chain::AuditChain;
use crate::audit::checkpoints::CheckpointFile;
use crate::audit::row_trust::RowTrust;
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::sealing::fingerprint::Fingerprints;

/// Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) chain: Arc<AuditChain>,
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) trust: Arc<RowTrust>,
    pub(crate) checkpoints: CheckpointFile,
}

impl Recorder {
    /// With this key, from this place.
    pub(crate) fn new(key: &RootKey, source: &KeySource) -> Self {
        let checkpoints = CheckpointFile::at(source);
        Self {
            chain: Arc::new(AuditChain::new(key)),
            fingerprints: Arc::new(Fingerprints::new(key)),
            trust: Arc::new(RowTrust::new(key, checkpoints.clone())),
            checkpoints,
        }
    }
}
