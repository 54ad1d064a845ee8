//! The files of the spool. Their room is allocated before anybody signs in, so that a token or an answer can be stored
//! even on a full disk while the database fails. One file per API with two areas: an unread answer and a finished
//! token, both sealed like rows. `import` and the two repositories beside it decide when something goes in or out.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use vega_domain::ids::ApiName;
use vega_domain::ports::StoreError;
use zeroize::Zeroizing;

use crate::files::{create_private_dir, open_private, private_options};
use crate::sealing::seal::{Place, Sealer};

/// The longest answer that Vega reads has 256 KiB; in base64, twice, with room for the rest.
const AREA: usize = 512 * 1024;
const MAGIC: &[u8; 8] = b"VEGASPL1";
const ENDING: &str = "slot";

/// The folder of the spool of this database.
pub(crate) fn folder_of(database: &Path) -> PathBuf {
    database.with_extension("spool")
}

/// What an area holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the token endpoint answered, unread.
    Answer,
    /// A token that is ready for its row.
    Token,
}

impl Kind {
    fn offset(self) -> u64 {
        match self {
            Self::Answer => 0,
            Self::Token => AREA as u64,
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Token => "token",
        }
    }
}

/// Precedes the envelope, and is part of what the seal covers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Label {
    api: String,
    client_id: String,
    generation: u32,
    envelope: String,
}

/// The files of one database.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// Shared by all clones: it is another one when the key was replaced.
    sealer: Arc<ArcSwap<Sealer>>,
}

impl Spool {
    /// The files beside a database, whether it is open or not.
    pub(crate) fn beside(database: &Path, sealer: Arc<Sealer>) -> Self {
        Self {
            folder: folder_of(database),
            sealer: Arc::new(ArcSwap::new(sealer)),
        }
    }

    /// From now on with the next key, also what is there already.
    pub(crate) fn is_sealed_anew(&self, next: Arc<Sealer>) -> Result<(), StoreError> {
        for path in self.files()? {
            let mut file = open_private(&path).map_err(failed("open the spool"))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(failed("read the spool"))?;
            let mut is_changed = false;
            for kind in [Kind::Answer, Kind::Token] {
                // What does not open stays as it is: the next reader says why.
                let Ok(Some((label, plain))) = self.opened(&path, kind) else {
                    continue;
                };
                let area = area_of(kind, label, &next, &plain)?;
                let at = usize::try_from(kind.offset()).unwrap_or_default();
                bytes.splice(at..bytes.len().min(at + area.len()), area);
                is_changed = true;
            }
            if is_changed {
                replace(&path, &bytes).map_err(failed("seal what the spool keeps with the next key"))?;
            }
        }
        self.sealer.store(next);
        Ok(())
    }

    /// Allocates an API's file, written and synced, so that the file system has room for it whatever happens.
    pub(crate) fn prepare(&self, api: &ApiName) -> Result<(), StoreError> {
        self.make_room(api).map(drop)
    }

    fn make_room(&self, api: &ApiName) -> Result<File, StoreError> {
        create_private_dir(&self.folder).map_err(failed("make the spool"))?;
        let path = self.path(api.as_str());
        let mut file = open_private(&path).map_err(failed("open the spool"))?;
        let made = (|| -> io::Result<()> {
            let there = file.seek(SeekFrom::End(0))?;
            if let Some(missing) = (2 * AREA as u64)
                .checked_sub(there)
                .filter(|missing| *missing > 0)
            {
                io::copy(&mut io::repeat(0).take(missing), &mut file)?;
                file.sync_all()?;
                File::open(&self.folder)?.sync_all()?;
            }
            Ok(())
        })();
        made.map_err(failed("give the spool its room"))?;
        Ok(file)
    }

    /// Stores one record for an API, in place of the previous record of this kind. Durable when it returns.
    pub(crate) fn keep<T: Serialize>(
        &self,
        kind: Kind,
        (api, client_id, generation): (&ApiName, &str, u32),
        record: &T,
    ) -> Result<(), StoreError> {
        let plain = Zeroizing::new(serde_json::to_vec(record).map_err(failed("write the spool"))?);
        let label = Label {
            api: api.to_string(),
            client_id: client_id.into(),
            generation,
            envelope: String::new(),
        };
        let area = area_of(kind, label, &self.sealer.load(), &plain)?;
        // Where nobody made room before, there may still be some.
        let file = self.make_room(api)?;
        overwrite(file, kind, &area).map_err(failed("write the spool"))
    }

    /// The records of this kind. A record that does not open is reported and stays where it is.
    pub(crate) fn load<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<T>, StoreError> {
        let mut records = Vec::new();
        for path in self.files()? {
            match self.read(&path, kind) {
                Ok(record) => records.extend(record),
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "the spool holds what cannot be read");
                }
            }
        }
        Ok(records)
    }

    /// Whether the spool surely holds nothing, not even what cannot be read.
    pub(crate) fn is_clear(&self) -> bool {
        let is_empty = |path: &PathBuf, kind| matches!(self.read::<IgnoredAny>(path, kind), Ok(None));
        let holds_none = |path: &PathBuf| is_empty(path, Kind::Answer) && is_empty(path, Kind::Token);
        self.files().is_ok_and(|files| files.iter().all(holds_none))
    }

    /// Whether the spool holds anything that can be read. Records that cannot be read are already lost.
    pub(crate) fn holds_anything(&self) -> Result<bool, StoreError> {
        for kind in [Kind::Answer, Kind::Token] {
            if !self.load::<IgnoredAny>(kind)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read<T: DeserializeOwned>(&self, path: &Path, kind: Kind) -> Result<Option<T>, StoreError> {
        let Some((_, plain)) = self.opened(path, kind)? else {
            return Ok(None);
        };
        serde_json::from_slice(&plain).map(Some).map_err(|_| {
            StoreError::Unreadable(format!(
                "{} was written by another version of Vega",
                path.display()
            ))
        })
    }

    /// What the area keeps, and what it is labelled with.
    fn opened(&self, path: &Path, kind: Kind) -> Result<Option<Opened>, StoreError> {
        let mut file = open_private(path).map_err(failed("open the spool"))?;
        let mut head = [0; 12];
        match file
            .seek(SeekFrom::Start(kind.offset()))
            .and_then(|_| file.read_exact(&mut head))
        {
            Ok(()) => {}
            // One that was never given all its room holds nothing here.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(failed("read the spool")(error)),
        }
        let (magic, length) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Ok(None);
        }
        let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
        let unreadable = |why: &str| StoreError::Unreadable(format!("{} {why}", path.display()));
        if length > AREA - head.len() {
            return Err(unreadable("is damaged"));
        }
        let mut label = vec![0; length];
        file.read_exact(&mut label).map_err(failed("read the spool"))?;
        let label: Label = serde_json::from_slice(&label).map_err(|_| unreadable("is damaged"))?;
        let envelope = STANDARD
            .decode(&label.envelope)
            .map_err(|_| unreadable("is damaged"))?;
        let place = place(kind, &label.api, &label.client_id, label.generation);
        let plain = self.sealer.load().open(place, &envelope)?;
        Ok(Some((label, plain)))
    }

    /// Removes the record of this kind for an API; its room stays allocated.
    pub(crate) fn clear(&self, kind: Kind, api: &ApiName) -> Result<(), StoreError> {
        let file = open_private(&self.path(api.as_str())).map_err(failed("open the spool"))?;
        overwrite(file, kind, &vec![0; AREA]).map_err(failed("clear the spool"))
    }

    /// When each file was last written. While these times are the same, the contents of the spool are the same.
    pub(crate) fn written(&self) -> Vec<(PathBuf, Option<SystemTime>)> {
        let files = self.files().unwrap_or_default().into_iter();
        let written = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
        files
            .map(|path| {
                let at = written(&path);
                (path, at)
            })
            .collect()
    }

    fn path(&self, api: &str) -> PathBuf {
        self.folder.join(api).with_extension(ENDING)
    }

    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("look into the spool")(error)),
        };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
            .collect();
        files.sort_unstable();
        Ok(files)
    }
}

/// A record and its label.
type Opened = (Label, Zeroizing<Vec<u8>>);

/// The bytes of an area that keeps this, sealed.
fn area_of(kind: Kind, mut label: Label, sealer: &Sealer, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    let envelope = sealer.seal(place(kind, &label.api, &label.client_id, label.generation), plain)?;
    label.envelope = STANDARD.encode(envelope);
    let text = serde_json::to_vec(&label).map_err(failed("write the spool"))?;
    let mut area = Vec::with_capacity(MAGIC.len() + 4 + text.len());
    area.extend_from_slice(MAGIC);
    area.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    area.extend_from_slice(&text);
    if area.len() > AREA {
        return Err(StoreError::Unreadable(format!(
            "the {} of {} is too long for the spool",
            kind.column(),
            label.api
        )));
    }
    Ok(area)
}

/// Puts the bytes in the place of the file's, so that a crash leaves the ones or the others.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut options = private_options();
    let mut file = options.create(true).truncate(true).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn overwrite(mut file: File, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(kind.offset()))?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn place<'a>(kind: Kind, api: &'a str, client_id: &'a str, generation: u32) -> Place<'a> {
    Place {
        table: "spool",
        column: kind.column(),
        api,
        client_id,
        generation,
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl FnOnce(E) -> StoreError {
    move |source| StoreError::Failed {
        doing,
        source: source.into(),
    }
}
