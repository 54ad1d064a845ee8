//! Proves, while the database is open, that new seals can be opened later: the key seals and opens, and the key file still holds
//! it, privately. Whether the key opens older seals is checked when the database is opened.

use crate::database::data_source::DataSource;
use crate::key_files;
use crate::key_files::root_key::{KeyError, RootKey};
use crate::sealing::seal::Place;

/// A place that no row has; nothing is stored there.
const NOWHERE: Place<'static> = Place {
    table: "none",
    column: "proof",
    api: "",
    client_id: "",
    generation: 0,
};

const VALUE: &[u8] = b"what is sealed opens again";

impl DataSource {
    /// Seals and opens a value, and compares the key file with the key that was loaded from it.
    pub fn prove_key(&self) -> Result<(), KeyError> {
        let path = self.key_source().path();
        let sealed = self.sealer().seal(NOWHERE, VALUE);
        let opened = sealed.and_then(|envelope| self.sealer().open(NOWHERE, &envelope));
        opened.map_err(|source| KeyError::DoesNotOpen {
            path: path.to_owned(),
            source,
        })?;
        if path.symlink_metadata().is_err() {
            return Err(KeyError::Gone(path.to_owned()));
        }
        let on_disk = RootKey::load_from(self.key_source())?;
        // Until it takes its place it lies beside that, too.
        let is_there = |id| on_disk.id == id || key_files::held_next(self.key_source(), id).is_some();
        if is_there(self.sealer().key_id()) {
            Ok(())
        } else {
            Err(KeyError::Replaced(path.to_owned()))
        }
    }
}
