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

/// What the files hold of the key that a database names.
pub(crate) enum Fetched {
    Key(RootKey),
    /// It lies beside the key file, and only its place is still to be taken.
    Following(FollowingKey),
    /// The file holds another key, which does not open the data; this file beside it, if any, holds the one that does.
    Other(Option<PathBuf>),
}

/// The key in force, where the key file still holds the one before it.
pub(crate) struct FollowingKey {
    pub(crate) key: RootKey,
    /// The one before it, if it is there.
    pub(crate) old: Option<RootKey>,
    file: PathBuf,
    /// `None` for a credential, whose place Vega never takes.
    place: Option<PathBuf>,
    since: String,
}

impl FollowingKey {
    /// Keeps the old key under a second name, and gives this one its place.
    pub(crate) fn takes_its_place(self) -> Result<RootKey, KeyError> {
        let Some(place) = &self.place else {
            return Ok(self.key);
        };
        if self.old.is_some() {
            keep_old(place, &self.since)?;
        }
        match put_in_place(&self.file, place) {
            Ok(()) => {}
            // Another program of this machine was quicker.
            Err(_) if is_key(place, self.key.id) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.key)
    }
}

/// Reads the key of a database, and makes it for a new one.
pub(crate) fn fetch(source: &KeySource, in_force: Option<&KeyInForce>) -> Result<Fetched, KeyError> {
    let KeySource::File(path) = source else {
        let key = RootKey::load_from(source)?;
        let Some(in_force) = in_force.filter(|in_force| in_force.id != key.id) else {
            return Ok(Fetched::Key(key));
        };
        return Ok(match following(source, in_force, Some(key)) {
            Some(following) => Fetched::Following(following),
            None => Fetched::Other(None),
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
    let old = if is_there {
        Some(RootKey::load(path)?)
    } else {
        None
    };
    let old = match old {
        Some(key) if key.id == in_force.id => return Ok(Fetched::Key(key)),
        old => old,
    };
    if let Some(following) = following(source, in_force, old) {
        return Ok(Fetched::Following(following));
    }
    let path = &resolved(path);
    if is_there {
        return Ok(Fetched::Other(kept_beside(path, in_force.id)));
    }
    Err(KeyError::MissingOverSealedData {
        path: path.clone(),
        kept: kept_beside(path, in_force.id),
    })
}

/// The key in force, if it lies where the next key is put.
fn following(source: &KeySource, in_force: &KeyInForce, old: Option<RootKey>) -> Option<FollowingKey> {
    let file = next_keys(source)
        .into_iter()
        .find(|(_, id)| *id == in_force.id)?
        .0;
    Some(FollowingKey {
        key: RootKey::load(&file).ok()?,
        old,
        file,
        place: match source {
            KeySource::File(path) => Some(resolved(path)),
            KeySource::Credential { .. } => None,
        },
        since: in_force.since.clone().unwrap_or_default(),
    })
}

/// The keys that this machine has: the one in the key file first, then each that is to follow it and lies beside it.
pub(crate) fn held(source: &KeySource) -> Vec<KeyId> {
    let own = RootKey::load_from(source).ok().map(|key| key.id);
    let following = next_keys(source).into_iter().map(|(_, id)| id);
    own.into_iter().chain(following).collect()
}

/// The next key of this id, if it lies beside the key file.
pub(crate) fn held_next(source: &KeySource, id: KeyId) -> Option<PathBuf> {
    let found = next_keys(source).into_iter().find(|(_, of)| *of == id);
    found.map(|(file, _)| file)
}

/// Where another machine's copy of the next key is to be put.
pub(crate) fn place_of_next(source: &KeySource, id: KeyId) -> PathBuf {
    match source {
        KeySource::File(path) => next_key(&resolved(path), id),
        KeySource::Credential { folder, .. } => next_key(&folder.join("vega.key"), id),
    }
}

/// The files beside the key file that hold what their names say. What they are called before that does not matter: they come from
/// other machines.
fn next_keys(source: &KeySource) -> Vec<(PathBuf, KeyId)> {
    let folder = match source {
        KeySource::File(path) => resolved(path).parent().map(Path::to_owned),
        KeySource::Credential { folder, .. } => Some(folder.clone()),
    };
    let files = folder.map(|folder| files_in(&folder)).unwrap_or_default();
    let named = files.into_iter().filter_map(|file| {
        let (_, id) = file.file_name()?.to_str()?.rsplit_once(&format!(".{NEXT}"))?;
        match RootKey::load(&file) {
            Ok(key) if key.id.to_string() == id => Some((file, key.id)),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!("a key that is to follow cannot be used: {error}");
                None
            }
        }
    });
    named.collect()
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
