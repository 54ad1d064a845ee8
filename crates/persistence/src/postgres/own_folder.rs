//! This machine's folder for one database on a server. It is named after the user and the database, which another server may have
//! too: what the spool keeps must not get into that one. Decides whether the folder may be used for this database.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::database::open_error::OpenError;
use crate::files::{create_private_dir, io, open_private, sync_folder_of};
use crate::spool::slots::Spool;

/// The file that names the audit trail of the database to which the folder belongs.
const NAME: &str = "trail";

/// Makes the folder that of the database with this trail, for as long as the file is held that comes back. Refuses one that keeps
/// what another database did not take, or that a process uses with another one.
pub(crate) fn claim(folder: &Path, trail: &str, spool: &Spool) -> Result<File, OpenError> {
    create_private_dir(folder)?;
    let path = folder.join(NAME);
    let mut file = open_private(&path)?;
    let mut is_used = false;
    loop {
        file.lock_shared().map_err(io("lock", &path))?;
        if owner(&mut file).map_err(io("read", &path))? == trail {
            return Ok(file);
        }
        if is_used {
            return Err(OpenError::OthersFolder(folder.to_owned()));
        }
        file.unlock().map_err(io("unlock", &path))?;
        // Whoever changes the owner is alone. Another start may do so now: then it is looked at once more.
        if file.try_lock().is_err() {
            is_used = true;
            continue;
        }
        let before = owner(&mut file).map_err(io("read", &path))?;
        if before != trail && !before.is_empty() && !spool.is_clear() {
            return Err(OpenError::OthersFolder(folder.to_owned()));
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(trail.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(io("write", &path))?;
        sync_folder_of(&path)?;
    }
}

fn owner(file: &mut File) -> std::io::Result<String> {
    let mut owner = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut owner)?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use serde_json::json;
    use vega_domain::ids::ApiName;

    use super::*;
    use crate::key_files::root_key::RootKey;
    use crate::sealing::seal::Sealer;
    use crate::spool::slots::Kind;

    struct Machine {
        folder: PathBuf,
        spool: Spool,
        _dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = RootKey::generate();
            Self {
                folder: dir.path().join("postgres-vega-desk"),
                spool: Spool::beside(
                    &dir.path().join("postgres-vega-desk/vega"),
                    Arc::new(Sealer::new(&key)),
                ),
                _dir: dir,
            }
        }

        fn claims(&self, trail: &str) -> Result<File, OpenError> {
            claim(&self.folder, trail, &self.spool)
        }

        fn keeps_a_token(&self) {
            let api = ApiName::new("PRIMARY").unwrap();
            let kept = self.spool.keep(Kind::Token, (&api, "client", 1), &json!("token"));
            kept.unwrap();
        }
    }

    #[test]
    fn a_database_of_the_same_name_gets_an_empty_folder() {
        let machine = Machine::new();
        for trail in ["one", "one", "another", "one"] {
            machine.claims(trail).unwrap();
        }
        machine.keeps_a_token();
        machine.claims("one").unwrap();
    }

    #[test]
    fn a_folder_in_use_stays_that_of_its_database() {
        let machine = Machine::new();
        let (first, second) = (machine.claims("one").unwrap(), machine.claims("one").unwrap());
        drop(first);
        let refused = machine.claims("another").unwrap_err();
        assert!(matches!(refused, OpenError::OthersFolder(_)), "{refused}");
        drop(second);
        let _another = machine.claims("another").unwrap();
        machine.claims("one").unwrap_err();
    }

    #[test]
    fn what_another_database_did_not_take_stays_where_it_is() {
        let machine = Machine::new();
        machine.claims("one").unwrap();
        machine.keeps_a_token();
        for _ in 0..2 {
            let refused = machine.claims("another").unwrap_err();
            assert!(matches!(refused, OpenError::OthersFolder(_)), "{refused}");
        }
        machine.claims("one").unwrap();
        assert!(machine.spool.holds_anything().unwrap());
    }
}
