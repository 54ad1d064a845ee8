//! The root key: 32 random bytes in one 0600 file, apart from the data. It is made once, at the first start, and never
//! over data that an earlier key sealed.

use std::io::{Read, Write};
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

use crate::files::{self, FileError};

/// The first word of a key file, so that another file is not taken for one.
const HEADER: &str = "vega-key-1";

/// Why the root key is not available.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be used.
    #[error("{}{}", .0, .0.or_elsewhere("VEGA__KEY_FILE"))]
    File(#[from] FileError),
    /// The file holds something else.
    #[error(
        "{0} is not a Vega key file: it holds something else. Put the right file there, or name it with VEGA__KEY_FILE"
    )]
    NotAKey(PathBuf),
    /// There is no key, but there is data that one sealed.
    #[error(
        "the key file {0} is missing, but the database holds tokens that were sealed with it. \
         Vega never makes a new key over old data. Put the file back from your backup, or name it with \
         VEGA__KEY_FILE; if it is lost for good, move the database away and sign in again"
    )]
    MissingOverSealedData(PathBuf),
    /// The file is gone since Vega read it.
    #[error(
        "the key file {0} is gone since Vega started: what is stored without it cannot be read later. \
         Put it back from your backup, then run `vega` again"
    )]
    Gone(PathBuf),
    /// The file holds another key than the one that Vega read.
    #[error(
        "the key file {0} holds another key since Vega started, and what is stored now could not be read with it. \
         Put the former key back, or run `vega` again to see whether this one fits"
    )]
    Replaced(PathBuf),
    /// What the key seals does not open.
    #[error(
        "what the key in {path} seals does not open: {source}. Run `vega` again, and report it if it stays so"
    )]
    DoesNotOpen {
        /// Which key file.
        path: PathBuf,
        /// What was found.
        source: StoreError,
    },
}

/// The key with its public id.
pub(crate) struct RootKey {
    pub(crate) id: [u8; KEY_ID_LEN],
    pub(crate) bytes: Zeroizing<[u8; 32]>,
}

pub(crate) const KEY_ID_LEN: usize = 8;

impl RootKey {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let digest = Sha256::new()
            .chain_update(HEADER)
            .chain_update(bytes.as_slice())
            .finalize();
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&digest[..KEY_ID_LEN]);
        Self { id, bytes }
    }

    /// A key of its own for one use. What is made with it tells nothing about the root key or about other uses.
    pub(crate) fn derive(&self, context: &[u8]) -> Hmac<Sha256> {
        let derived = keyed(self.bytes.as_slice()).chain_update(context).finalize();
        keyed(&derived.into_bytes())
    }

    /// Looks whether `load_or_create` can succeed, before anything else is made for it. Leaves nothing behind.
    pub(crate) fn check(path: &Path, may_be_made: bool) -> Result<(), KeyError> {
        // A link that leads nowhere is no place for a key either.
        if path.symlink_metadata().is_ok() {
            return Self::load(path).map(drop);
        }
        if may_be_made {
            refuse_where_nothing_can_be_made(path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Reads the key, or makes it when there is none and nothing was sealed yet.
    pub(crate) fn load_or_create(path: &Path, sealed_data_exists: bool) -> Result<Self, KeyError> {
        if path.try_exists().map_err(files::io("look for", path))? {
            return Self::load(path);
        }
        if sealed_data_exists {
            return Err(KeyError::MissingOverSealedData(path.to_owned()));
        }
        Self::create(path)
    }

    pub(crate) fn load(path: &Path) -> Result<Self, KeyError> {
        let mut file = std::fs::File::open(path).map_err(files::io("open", path))?;
        files::refuse_if_open_to_others(path, &file)?;
        let mut text = Zeroizing::new(String::new());
        let not_a_key = || KeyError::NotAKey(path.to_owned());
        file.read_to_string(&mut text)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => not_a_key(),
                _ => files::io("read", path)(error).into(),
            })?;
        let encoded = text.trim_end().strip_prefix(HEADER).ok_or_else(not_a_key)?;
        let mut decoded = STANDARD.decode(encoded.trim()).map_err(|_| not_a_key())?;
        let bytes = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| not_a_key());
        decoded.zeroize();
        Ok(Self::new(Zeroizing::new(bytes?)))
    }

    /// Writes the key beside its place and moves it there, so that a crash leaves a whole key or none.
    fn create(path: &Path) -> Result<Self, KeyError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        files::create_private_dir(folder)?;
        let mut random = Key::<XChaCha20Poly1305>::generate();
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&random);
        random.as_mut_slice().zeroize();

        let text = Zeroizing::new(format!("{HEADER} {}\n", STANDARD.encode(bytes.as_slice())));
        let draft = path.with_extension(format!("draft-{}", std::process::id()));
        let written = files::private_options()
            .create_new(true)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        // `hard_link` refuses to replace a key that another process made meanwhile; `rename` would not.
        let placed = written.and_then(|()| std::fs::hard_link(&draft, path));
        let removed = std::fs::remove_file(&draft);
        match placed {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Self::load(path),
            Err(error) => return Err(files::io("write", path)(error).into()),
        }
        removed.map_err(files::io("remove", &draft))?;
        std::fs::File::open(folder)
            .and_then(|dir| dir.sync_all())
            .map_err(files::io("sync", folder))?;
        Ok(Self::new(bytes))
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// Makes and removes a file in the folder, or in the nearest one above it that is there.
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
        let made = RootKey::load_or_create(&path, false).unwrap();
        let read = RootKey::load_or_create(&path, true).unwrap();
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
        let one = RootKey::load_or_create(&dir.path().join("one"), false).unwrap();
        let two = RootKey::load_or_create(&dir.path().join("two"), false).unwrap();
        assert_ne!(one.id, two.id);
        assert_ne!(*one.bytes, *two.bytes);
    }

    #[test]
    fn looking_makes_nothing_and_finds_what_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/vega.key");
        RootKey::check(&path, true).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("a"), "a file").unwrap();
        assert!(matches!(RootKey::check(&path, true), Err(KeyError::File(_))));
        RootKey::check(&path, false).unwrap();
    }

    #[test]
    fn no_key_is_made_over_sealed_data() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vega.key");
        assert!(matches!(
            RootKey::load_or_create(&path, true),
            Err(KeyError::MissingOverSealedData(_))
        ));
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_a_looser_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/vega.key");
        RootKey::load_or_create(&path, false).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            RootKey::load_or_create(&path, true),
            Err(KeyError::File(FileError::TooOpen { mode: 0o640, .. }))
        ));
    }

    #[test]
    fn another_file_is_not_taken_for_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vega.key");
        for text in [&b""[..], b"vega-key-1", b"vega-key-1 AAAA", b"hello", &[0xff; 32]] {
            let mut file = files::private_options()
                .create(true)
                .truncate(true)
                .open(&path)
                .unwrap();
            file.write_all(text).unwrap();
            assert!(
                matches!(RootKey::load_or_create(&path, true), Err(KeyError::NotAKey(_))),
                "{text:?}"
            );
        }
    }
}
