//! Chooses the key file that belongs to a database, and replaces one by another. Several databases may share a key, so no key
//! file is ever removed: a replaced one stays beside the new one, with day and id in its name.

use std::path::{Path, PathBuf};

use crate::files::{self, FileError};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::{KeyError, KeyId, RootKey};

/// What the database says of its key.
#[derive(Debug, Clone)]
pub(crate) struct KeyInForce {
    pub(crate) id: KeyId,
    /// The day in India of the rotation that brought it; none for the first key.
    pub(crate) since: Option<String>,
}

/// The key that was asked for, or that it is another one.
pub(crate) enum Fetched {
    Key(RootKey),
    /// It does not open the data; this file beside it does.
    Other(Option<PathBuf>),
}

/// Reads the key of a database, makes it for a new one, and ends what a rotation left that died.
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

/// Where the link leads, so that what lies beside the key lies beside the file itself.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Where a key waits until all is sealed with it. Named after itself: rotations of two databases that share a key do not
/// meet.
pub(crate) fn next_key(path: &Path, id: KeyId) -> PathBuf {
    with_suffix(path, &format!("next-{id}"))
}

/// Gives the key that is about to be replaced a second name, by which it stays.
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

/// Puts the next key in the place of the one in force, in one step.
pub(crate) fn put_in_place(next: &Path, path: &Path) -> Result<(), FileError> {
    std::fs::rename(next, path).map_err(files::io("replace", path))?;
    files::sync_folder_of(path)
}

/// The file beside this one that holds the key.
fn kept_beside(path: &Path, id: KeyId) -> Option<PathBuf> {
    let prefix = format!("{}.", path.file_name()?.to_str()?);
    let mut files: Vec<PathBuf> = std::fs::read_dir(path.parent()?)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| {
            file.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(&prefix))
        })
        .collect();
    files.sort();
    files.into_iter().find(|file| is_key(file, id))
}

fn is_key(path: &Path, id: KeyId) -> bool {
    RootKey::load(path).is_ok_and(|key| key.id == id)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}
