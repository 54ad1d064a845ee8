//! Chooses the key file that belongs to a database, and replaces one key file by another. Several databases may share a
//! key, so no key file is ever removed: a replaced file stays beside the new one, with day and id in its name.

use std::path::{Path, PathBuf};

use crate::files::{self, FileError};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::{KeyError, KeyId, RootKey};

/// What the name of a key file ends with, before its id, while everything is still sealed with another key.
const NEXT: &str = "next-";

/// The key that a database names as its own.
#[derive(Debug, Clone)]
pub(crate) struct KeyInForce {
    pub(crate) id: KeyId,
    /// The day in India of the rotation that introduced it; `None` for the first key.
    pub(crate) since: Option<String>,
}

/// The key that was asked for, or the fact that the file holds another one.
pub(crate) enum Fetched {
    Key(RootKey),
    /// The key does not open the data; this file beside it, if any, holds the one that does.
    Other(Option<PathBuf>),
}

/// Reads the key of a database, makes it for a new database, and completes a rotation that was interrupted.
pub(crate) fn fetch(source: &KeySource, in_force: Option<&KeyInForce>) -> Result<Fetched, KeyError> {
    let KeySource::File(path) = source else {
        let key = RootKey::load_from(source)?;
        let fits = in_force.is_none_or(|in_force| in_force.id == key.id);
        return Ok(if fits {
            Fetched::Key(key)
        } else {
            Fetched::Other(None)
        });
    };
    let is_there = path.try_exists().map_err(files::io("look for", path))?;
    let Some(in_force) = in_force else {
        let key = if is_there {
            RootKey::load(path)
        } else {
            RootKey::create(path)
        };
        return key.map(Fetched::Key);
    };
    if is_there {
        let key = RootKey::load(path)?;
        if key.id == in_force.id {
            return Ok(Fetched::Key(key));
        }
    }
    // The data is sealed with the next key, and only its place is still to be taken.
    let path = &resolved(path);
    let next = next_key(path, in_force.id);
    if is_key(&next, in_force.id) {
        if is_there {
            keep_old(path, in_force.since.as_deref().unwrap_or_default())?;
        }
        put_in_place(&next, path)?;
        return RootKey::load(path).map(Fetched::Key);
    }
    if is_there {
        return Ok(Fetched::Other(kept_beside(path, in_force.id)));
    }
    Err(KeyError::MissingOverSealedData {
        path: path.clone(),
        kept: kept_beside(path, in_force.id),
    })
}

/// The keys that this machine has: the one in the key file first, then each that is to follow it and lies beside it.
pub(crate) fn held(source: &KeySource) -> Vec<KeyId> {
    let own = RootKey::load_from(source).ok();
    let folder = match source {
        KeySource::File(path) => resolved(path).parent().map(Path::to_owned),
        KeySource::Credential { folder, .. } => Some(folder.clone()),
    };
    let beside = folder.map(|folder| files_in(&folder)).unwrap_or_default();
    let following = beside.into_iter().filter_map(|file| {
        let (_, id) = file.to_str()?.rsplit_once(NEXT)?;
        let key = RootKey::load(&file).ok()?;
        (key.id.to_string() == id).then_some(key.id)
    });
    own.map(|key| key.id).into_iter().chain(following).collect()
}

/// The target of a link, so that other files are put beside the real key file.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Where the next key is kept until everything is sealed with it. The name contains the key's id, so that rotations of
/// two databases that share a key do not collide.
pub(crate) fn next_key(path: &Path, id: KeyId) -> PathBuf {
    with_suffix(path, &format!("{NEXT}{id}"))
}

/// Gives the key that is about to be replaced a second name, under which it stays.
pub(crate) fn keep_old(path: &Path, day: &str) -> Result<PathBuf, KeyError> {
    let kept = with_suffix(path, &format!("{day}.{}", RootKey::load(path)?.id));
    match files::link(path, &kept) {
        // The same key, kept by a rotation that died right after.
        Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
        linked => linked?,
    }
    files::sync_folder_of(path)?;
    Ok(kept)
}

/// Replaces the key in force by the next key, in one step.
pub(crate) fn put_in_place(next: &Path, path: &Path) -> Result<(), FileError> {
    std::fs::rename(next, path).map_err(files::io("replace", path))?;
    files::sync_folder_of(path)
}

/// The file beside this one that holds the key.
fn kept_beside(path: &Path, id: KeyId) -> Option<PathBuf> {
    let prefix = format!("{}.", path.file_name()?.to_str()?);
    let mut files = files_in(path.parent()?).into_iter().filter(|file| {
        file.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(&prefix))
    });
    files.find(|file| is_key(file, id))
}

/// The files of a folder, by name; none of one that cannot be read.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

fn is_key(path: &Path, id: KeyId) -> bool {
    RootKey::load(path).is_ok_and(|key| key.id == id)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}
