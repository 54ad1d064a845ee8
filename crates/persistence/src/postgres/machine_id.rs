//! The id of this machine among those that share a database on a server: made once, and kept in this machine's folder for that database.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::files::{FileError, io, open_private, sync_folder_of};

const NAME: &str = "machine";

/// The id beside what this machine keeps for a database, if it was made.
pub(crate) fn known(beside: &Path) -> Option<Uuid> {
    read(&mut File::open(place(beside)).ok()?).ok()?
}

/// The same; made where there is none.
pub(crate) fn known_or_made(beside: &Path) -> Result<Uuid, FileError> {
    let path = place(beside);
    let mut file = open_private(&path)?;
    let id = file.lock().and_then(|()| {
        if let Some(id) = read(&mut file)? {
            return Ok(id);
        }
        let id = Uuid::new_v4();
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(id.to_string().as_bytes())?;
        file.sync_all().map(|()| id)
    });
    let id = id.map_err(io("write", &path))?;
    sync_folder_of(&path)?;
    Ok(id)
}

fn place(beside: &Path) -> PathBuf {
    beside.with_file_name(NAME)
}

/// `None` for what is no id, such as a half-written one.
fn read(file: &mut File) -> io::Result<Option<Uuid>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Uuid::parse_str(text.trim()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_each_folder_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one/vega"), dir.path().join("other/vega"));
        for path in [&one, &other] {
            std::fs::create_dir(path.parent().unwrap()).unwrap();
        }
        assert_eq!(known(&one), None);
        let id = known_or_made(&one).unwrap();
        assert_eq!((known(&one), known_or_made(&one).unwrap()), (Some(id), id));
        assert_ne!(known_or_made(&other).unwrap(), id);
    }

    #[test]
    fn what_is_no_id_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vega");
        drop(open_private(&place(&path)).unwrap());
        std::fs::write(place(&path), "0190").unwrap();
        assert_eq!(known(&path), None);
        assert_eq!(Some(known_or_made(&path).unwrap()), known(&path));
    }
}
