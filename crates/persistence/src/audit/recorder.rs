//! What each write needs for its audit entries under the current root key: chain values, fingerprints, the trust in
//! rows, and the checkpoints.

use std::sync::Arc;

use crate::audit::chain::AuditChain;
use crate::audit::checkpoints::CheckpointFile;
use crate::audit::row_trust::RowTrust;
use crate::database::move_state::OpenedFor;
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::sealing::fingerprint::Fingerprints;

/// Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) chain: Arc<AuditChain>,
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) trust: Arc<RowTrust>,
    pub(crate) checkpoints: CheckpointFile,
}

impl Recorder {
    /// Makes one with this key, read from this place.
    pub(crate) fn new(key: &RootKey, source: &KeySource, opened_for: OpenedFor) -> Self {
        let checkpoints = CheckpointFile::at(source);
        Self {
            chain: Arc::new(AuditChain::new(key)),
            fingerprints: Arc::new(Fingerprints::new(key)),
            trust: Arc::new(RowTrust::new(key, checkpoints.clone()).opened_for(opened_for)),
            checkpoints,
        }
    }

    /// The same under the next root key.
    pub(crate) fn followed_by(&self, key: &RootKey) -> Self {
        Self {
            chain: Arc::new(AuditChain::new(key)),
            fingerprints: Arc::new(Fingerprints::new(key)),
            trust: Arc::new(self.trust.followed_by(key)),
            checkpoints: self.checkpoints.clone(),
        }
    }
}
