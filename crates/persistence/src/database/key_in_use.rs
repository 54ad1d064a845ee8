//! The root key that this process uses for its database, with everything that is derived from it. It is replaced as a whole when the
//! database was sealed anew with another one: what began with one key ends with that.

use std::sync::Arc;

use crate::audit::recorder::Recorder;
use crate::key_files::root_key::RootKey;
use crate::sealing::seal::Sealer;

/// One key, for as long as it is in force.
#[derive(Debug)]
pub(crate) struct KeyInUse {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) recorder: Recorder,
}

impl KeyInUse {
    pub(crate) fn new(key: &RootKey, recorder: Recorder) -> Self {
        Self {
            sealer: Arc::new(Sealer::new(key)),
            recorder,
        }
    }

    /// The next one. What this process saw of the database it knows still.
    pub(crate) fn followed_by(&self, key: &RootKey) -> Self {
        Self {
            sealer: Arc::new(Sealer::new(key)),
            recorder: self.recorder.followed_by(key),
        }
    }
}
