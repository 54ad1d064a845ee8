//! Sealing at rest: XChaCha20-Poly1305 with the key's id in the envelope and the row's identity as associated data,
//! so that a value moved to another row does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use thiserror::Error;
use vega_domain::ports::StoreError;
use zeroize::Zeroizing;

use crate::key_files::root_key::{KEY_ID_LEN, KeyId, RootKey};

/// First byte of every envelope.
const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Where a sealed value lives. Each part goes into the associated data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) api: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) generation: u32,
}

impl Place<'_> {
    /// The parts hold no `\n` (checked by their types), so no two places give the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let Self {
            table,
            column,
            api,
            client_id,
            generation,
        } = self;
        format!("vega\n{table}\n{column}\n{api}\n{client_id}\n{generation}").into_bytes()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} of {} generation {}",
            self.table, self.column, self.api, self.generation
        )
    }
}

/// Why a value does not open. The message follows the name of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum WhyUnreadable {
    #[error("is not a sealed value of this version")]
    NoEnvelope,
    #[error(
        "was sealed with another key: put the right key file in place, or start this program again if the key was \
         rotated while it ran"
    )]
    OtherKey,
    #[error("was changed or moved from another row: it does not open")]
    Changed,
}

/// The key that sealed it.
pub(crate) fn key_of(envelope: &[u8]) -> Option<KeyId> {
    KeyId::of(envelope.get(1..=KEY_ID_LEN)?)
}

/// Seals and opens values with the root key.
pub(crate) struct Sealer {
    key_id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}

impl Sealer {
    pub(crate) fn new(key: &RootKey) -> Self {
        Self {
            key_id: key.id,
            cipher: XChaCha20Poly1305::new(key.bytes.as_slice().try_into().expect("32 bytes")),
        }
    }

    /// The key that seals here.
    pub(crate) fn key_id(&self) -> KeyId {
        self.key_id
    }

    pub(crate) fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce = XNonce::generate();
        let aad = place.associated_data();
        let sealed = self
            .cipher
            .encrypt(
                &nonce,
                Payload {
                    msg: value,
                    aad: &aad,
                },
            )
            .map_err(|_| StoreError::Unreadable(format!("{place} could not be sealed")))?;
        let mut envelope = Vec::with_capacity(HEADER_LEN + sealed.len());
        envelope.push(VERSION);
        envelope.extend_from_slice(&self.key_id.0);
        envelope.extend_from_slice(&nonce);
        envelope.extend_from_slice(&sealed);
        Ok(envelope)
    }

    pub(crate) fn open(&self, place: Place<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.try_open(place, envelope)
            .map_err(|why| StoreError::Unreadable(format!("{place} {why}")))
    }

    pub(crate) fn try_open(
        &self,
        place: Place<'_>,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, WhyUnreadable> {
        if envelope.len() < HEADER_LEN || envelope[0] != VERSION {
            return Err(WhyUnreadable::NoEnvelope);
        }
        let (header, sealed) = envelope.split_at(HEADER_LEN);
        if key_of(header) != Some(self.key_id) {
            return Err(WhyUnreadable::OtherKey);
        }
        let nonce = XNonce::try_from(&header[1 + KEY_ID_LEN..]).map_err(|_| WhyUnreadable::NoEnvelope)?;
        let aad = place.associated_data();
        self.cipher
            .decrypt(
                &nonce,
                Payload {
                    msg: sealed,
                    aad: &aad,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| WhyUnreadable::Changed)
    }

    pub(crate) fn open_text(&self, place: Place<'_>, envelope: &[u8]) -> Result<String, StoreError> {
        let bytes = self.open(place, envelope)?;
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| StoreError::Unreadable(format!("{place} is not text")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HERE: Place<'static> = Place {
        table: "upstox_tokens",
        column: "access_token",
        api: "PRIMARY",
        client_id: "key",
        generation: 3,
    };

    fn sealer(dir: &tempfile::TempDir, name: &str) -> Sealer {
        Sealer::new(&RootKey::create(&dir.path().join(name)).unwrap())
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_looks_different_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let sealer = sealer(&dir, "key");
        let one = sealer.seal(HERE, b"CANARY").unwrap();
        let two = sealer.seal(HERE, b"CANARY").unwrap();
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|part| part == b"CANARY"));
        assert_eq!(sealer.open_text(HERE, &one).unwrap(), "CANARY");
    }

    #[rstest]
    #[case::table(Place { table: "sign_in_attempts", ..HERE })]
    #[case::column(Place { column: "extended_token", ..HERE })]
    #[case::api(Place { api: "WEBSOCKET1", ..HERE })]
    #[case::client_id(Place { client_id: "other", ..HERE })]
    #[case::generation(Place { generation: 4, ..HERE })]
    fn a_moved_value_does_not_open(#[case] elsewhere: Place<'static>) {
        let dir = tempfile::tempdir().unwrap();
        let sealer = sealer(&dir, "key");
        let envelope = sealer.seal(HERE, b"CANARY").unwrap();
        let error = sealer.open(elsewhere, &envelope).unwrap_err().to_string();
        assert!(error.contains("moved"), "{error}");
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let sealer = sealer(&dir, "key");
        let envelope = sealer.seal(HERE, b"CANARY").unwrap();
        for bit in 0..envelope.len() * 8 {
            let mut changed = envelope.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(HERE, &changed).is_err(), "bit {bit}");
        }
        for length in 0..envelope.len() {
            assert!(sealer.open(HERE, &envelope[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn another_key_is_named_as_the_cause() {
        let dir = tempfile::tempdir().unwrap();
        let envelope = sealer(&dir, "one").seal(HERE, b"CANARY").unwrap();
        let error = sealer(&dir, "two").open(HERE, &envelope).unwrap_err().to_string();
        assert!(error.contains("another key"), "{error}");
    }
}
