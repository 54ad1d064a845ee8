//! The root key: 32 random bytes in one file with mode 0600, apart from the data. Reads, makes and writes it;
//! `key_files` decides which file is the right one.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Generate, Key};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vega_domain::ports::StoreError;
use zeroize::{Zeroize, Zeroizing};

use crate::files::text_file::{self, NoText, Opened};
use crate::files::{self, FileError};
use crate::files::{Place, refuse_if_others_may_change};
use crate::key_files::key_source::KeySource;

/// The first word of a key file, so that another file is not taken for one.
const HEADER: &str = "vega-key-1";

const KEY_LEN: usize = 32;

/// A key file has some 60 bytes.
const LONGEST: usize = 4096;

/// Why the root key is not available.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be used.
    #[error("{}{}", .0, .0.or_elsewhere("VEGA__KEY_FILE"))]
    File(#[from] FileError),
    /// The file gives no text.
    #[error("the key file {path} {problem}. Another place is named by VEGA__KEY_FILE")]
    NoText {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: NoText,
    },
    /// The file holds something else.
    #[error(
        "{path} is not a Vega key file: {problem}. Put the right file there, or name it with VEGA__KEY_FILE"
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it holds, without quoting it.
        problem: NotAKey,
    },
    /// There is no key, but there is data that was sealed with one.
    #[error(
        "the key file {path} is missing, but the database belongs to it: what is sealed there opens with no other. \
         Vega never makes a new key over old data. {}, or name it with \
         VEGA__KEY_FILE; if it is lost for good, move the database away and sign in again",
        put_back(.kept.as_deref())
    )]
    MissingOverSealedData {
        /// Where it should be.
        path: PathBuf,
        /// A file beside that place which holds it.
        kept: Option<PathBuf>,
    },
    /// The file was removed after Vega read it.
    #[error(
        "the key file {0} is gone since Vega started: what is stored without it cannot be read later. \
         Put it back from your backup, then try again"
    )]
    Gone(PathBuf),
    /// The file holds another key than the one that Vega read.
    #[error(
        "the key file {0} holds another key since Vega started, and what is stored now could not be read with it. \
         Put the former key back, or start Vega again to see whether this one fits"
    )]
    Replaced(PathBuf),
    /// What waits in files for the database would not open with the key that follows.
    #[error(
        "what the spool beside the database keeps could not be sealed with the key that follows, so that key did not take its \
         place: {0}. Make room on the disk, and start Vega again"
    )]
    SpoolNotSealedAnew(#[source] StoreError),
    /// A value that was sealed with the key does not open.
    #[error(
        "what the key in {path} seals does not open: {source}. Start Vega again, and report it if it stays so"
    )]
    DoesNotOpen {
        /// The key file.
        path: PathBuf,
        /// The error that was found.
        source: StoreError,
    },
}

/// What a file holds that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAKey {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// Text of another kind.
    #[error("it does not begin with {HEADER}")]
    OtherText,
    /// More than the one line.
    #[error("it goes on after the key, in line {0}")]
    GoesOn(usize),
    /// Characters that are not Base64.
    #[error("what follows {HEADER} is no Base64, so it was changed")]
    NotBase64,
    /// A key that was cut off, or to which something was added.
    #[error("its key has {0} bytes in place of {KEY_LEN}, so it was cut off or added to")]
    WrongLength(usize),
}

fn put_back(kept: Option<&Path>) -> String {
    match kept {
        Some(kept) => format!("{} holds it: put that in its place", kept.display()),
        None => "Put the file back from your backup, or copy it from the machine that has it".into(),
    }
}

/// The key with its public id.
pub(crate) struct RootKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: Zeroizing<[u8; 32]>,
}

/// Identifies a key without revealing anything about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) [u8; KEY_ID_LEN]);

pub(crate) const KEY_ID_LEN: usize = 8;

impl KeyId {
    /// The id with these bytes, if they can be one.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl RootKey {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let digest = Sha256::new()
            .chain_update(HEADER)
            .chain_update(bytes.as_slice())
            .finalize();
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&digest[..KEY_ID_LEN]);
        Self { id: KeyId(id), bytes }
    }

    /// Derives a key for one use. Values made with it reveal nothing about the root key or about other uses.
    pub(crate) fn derive(&self, context: &[u8]) -> Hmac<Sha256> {
        keyed(self.derive_bytes(context).as_slice())
    }

    /// The same, as bytes.
    pub(crate) fn derive_bytes(&self, context: &[u8]) -> Zeroizing<[u8; 32]> {
        let derived = keyed(self.bytes.as_slice()).chain_update(context).finalize();
        Zeroizing::new(derived.into_bytes().into())
    }

    /// Checks whether the key can be read or made, before anything else is made for it. Leaves nothing behind.
    pub(crate) fn check(source: &KeySource, may_be_made: bool) -> Result<(), KeyError> {
        let path = source.path();
        // A link that leads nowhere is no place for a key either.
        if path.symlink_metadata().is_ok() {
            return Self::load_from(source).map(drop);
        }
        match source {
            KeySource::Credential { .. } => Self::load_from(source).map(drop),
            KeySource::File(path) if may_be_made => {
                let folder = path.parent().unwrap_or(Path::new("."));
                refuse_if_others_may_change(folder, Place::Folder)?;
                refuse_where_nothing_can_be_made(folder).map_err(KeyError::from)
            }
            KeySource::File(_) => Ok(()),
        }
    }

    pub(crate) fn load_from(source: &KeySource) -> Result<Self, KeyError> {
        match source {
            KeySource::File(path) => Self::load(path),
            // systemd gives the service access by an access control list, which shows as the group's right to read.
            KeySource::Credential { key, .. } => Self::load_where(key, 0o040),
        }
    }

    /// Reads the key from a file for Vega alone.
    pub(crate) fn load(path: &Path) -> Result<Self, KeyError> {
        refuse_if_others_may_change(path.parent().unwrap_or(Path::new(".")), Place::Folder)?;
        Self::load_where(path, 0)
    }

    fn load_where(path: &Path, also_allowed: u32) -> Result<Self, KeyError> {
        refuse_if_others_may_change(path, Place::File)?;
        let no_text = |problem| KeyError::NoText {
            path: path.to_owned(),
            problem,
        };
        let opened = text_file::open(path).map_err(no_text)?;
        match &opened {
            Opened::Plain(_, about) => files::refuse_if_open_beyond(path, about, also_allowed)?,
            // It would be empty when it is read for the second time.
            Opened::Pipe(_) => return Err(no_text(NoText::NoFile("a pipe"))),
        }
        let text = text_file::text_of(opened, LONGEST).map_err(no_text)?;
        let bytes = key_in(&text).map_err(|problem| KeyError::NotAKey {
            path: path.to_owned(),
            problem,
        })?;
        Ok(Self::new(bytes))
    }

    pub(crate) fn generate() -> Self {
        let mut random = Key::<XChaCha20Poly1305>::generate();
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&random);
        random.as_mut_slice().zeroize();
        Self::new(bytes)
    }

    /// Makes a key in a file that does not exist yet. If another process was faster, uses the key of that process.
    pub(crate) fn create(path: &Path) -> Result<Self, KeyError> {
        let key = Self::generate();
        match key.write_to(path) {
            Ok(()) => Ok(key),
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::load(path)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the key beside its place and moves it there, so that a crash leaves a complete key or none. Never
    /// replaces a file.
    pub(crate) fn write_to(&self, path: &Path) -> Result<(), FileError> {
        files::create_private_dir(path.parent().unwrap_or(Path::new(".")))?;
        let text = Zeroizing::new(format!("{HEADER} {}\n", STANDARD.encode(self.bytes.as_slice())));
        let draft = path.with_extension(format!("draft-{}", std::process::id()));
        let written = files::private_options()
            .create_new(true)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(files::io("write", path));
        let placed = written.and_then(|()| files::link(&draft, path));
        let removed = std::fs::remove_file(&draft);
        placed?;
        removed.map_err(files::io("remove", &draft))?;
        files::sync_folder_of(path)
    }
}

/// The key in the text of a key file. Blank lines around it, which editors add, are accepted.
fn key_in(text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, NotAKey> {
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let (line, _) = lines.next().ok_or(NotAKey::Empty)?;
    let encoded = line.trim().strip_prefix(HEADER).ok_or(NotAKey::OtherText)?;
    if let Some((_, number)) = lines.next() {
        return Err(NotAKey::GoesOn(number));
    }
    let decoded = STANDARD.decode(encoded.trim()).map(Zeroizing::new);
    let decoded = decoded.map_err(|_| NotAKey::NotBase64)?;
    let bytes = <[u8; KEY_LEN]>::try_from(decoded.as_slice());
    bytes
        .map(Zeroizing::new)
        .map_err(|_| NotAKey::WrongLength(decoded.len()))
}

/// HMAC with this key.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// Checks that a file can be made in the folder, or in its nearest parent that exists, by making and removing one.
fn refuse_where_nothing_can_be_made(folder: &Path) -> Result<(), FileError> {
    if folder.symlink_metadata().is_err()
        && let Some(above) = folder.parent()
    {
        return refuse_where_nothing_can_be_made(above);
    }
    let probe = folder.join(format!(".vega-probe-{}", std::process::id()));
    match files::private_options().create_new(true).open(&probe) {
        Ok(_) => std::fs::remove_file(&probe).map_err(files::io("remove", &probe)),
        // Another opening of this process looks at the same moment.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(files::io("make a file in", folder)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/vega.key");
        let made = RootKey::create(&path).unwrap();
        let read = RootKey::load(&path).unwrap();
        assert_eq!((made.id, *made.bytes), (read.id, *read.bytes));
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn two_keys_differ() {
        let dir = tempfile::tempdir().unwrap();
        let one = RootKey::create(&dir.path().join("one")).unwrap();
        let two = RootKey::create(&dir.path().join("two")).unwrap();
        assert_ne!(one.id, two.id);
        assert_ne!(*one.bytes, *two.bytes);
    }

    #[test]
    fn looking_makes_nothing_and_finds_what_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/vega.key");
        let source = KeySource::File(path);
        RootKey::check(&source, true).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("a"), "a file").unwrap();
        assert!(matches!(RootKey::check(&source, true), Err(KeyError::File(_))));
        RootKey::check(&source, false).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_a_looser_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/vega.key");
        RootKey::create(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            RootKey::load(&path),
            Err(KeyError::File(FileError::TooOpen { mode: 0o640, .. }))
        ));
    }

    /// The result of loading a private file with these bytes.
    fn loaded(bytes: &[u8]) -> Result<RootKey, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vega.key");
        let mut file = files::private_options().create_new(true).open(&path).unwrap();
        file.write_all(bytes).unwrap();
        RootKey::load(&path)
    }

    #[test]
    fn another_file_is_not_taken_for_a_key_and_what_is_wrong_is_told() {
        let key = STANDARD.encode([7; 32]);
        for (bytes, told) in [
            (String::new(), NotAKey::Empty),
            ("\r\n \n".into(), NotAKey::Empty),
            ("hello".into(), NotAKey::OtherText),
            ("-----BEGIN PRIVATE KEY-----\nMIIB\n".into(), NotAKey::OtherText),
            ("vega-key-1".into(), NotAKey::WrongLength(0)),
            ("vega-key-1 AAAA".into(), NotAKey::WrongLength(3)),
            (format!("vega-key-1 {}", &key[..40]), NotAKey::WrongLength(30)),
            (format!("vega-key-1 {}", &key[..43]), NotAKey::NotBase64),
            (
                format!("vega-key-1 {key}\n\nvega-key-1 {key}\n"),
                NotAKey::GoesOn(3),
            ),
            (format!("vega-key-1 {}", "A".repeat(44)), NotAKey::WrongLength(33)),
        ] {
            match loaded(bytes.as_bytes()) {
                Err(KeyError::NotAKey { problem, .. }) => assert_eq!(problem, told, "{bytes:?}"),
                other => panic!("{bytes:?}: {:?}", other.map(|key| key.id)),
            }
        }
        for bytes in [&[0xff; 32][..], b"\0\0", &[b'x'; 2 * LONGEST]] {
            assert!(matches!(loaded(bytes), Err(KeyError::NoText { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn an_editor_that_opened_and_saved_it_leaves_a_key() {
        let text = format!("vega-key-1 {}", STANDARD.encode([7; 32]));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [
            format!("{text}\n").into_bytes(),
            format!("{text}\r\n\r\n").into_bytes(),
            format!("\u{feff}{text}").into_bytes(),
            [&[0xff, 0xfe], &*utf16].concat(),
        ] {
            assert_eq!(*loaded(&bytes).unwrap().bytes, [7; 32], "{bytes:?}");
        }
    }
}
