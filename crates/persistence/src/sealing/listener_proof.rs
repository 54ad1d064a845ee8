//! Proves that a listener belongs to this installation: an HMAC over the challenge and the called address, with a key derived
//! from the root key. Because the address is part of it, a program at another port cannot pass on the answer; and because the machine is,
//! none of another machine can whose server listens at the same port. At a socket the database is part of it too: a copy of a database has
//! the same key, and is another installation.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use vega_domain::ports::{ListenerAddress, ListenerProof};

use crate::database::place::DatabasePlace;
use crate::hex::hex;
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::postgres::machine_id;
use crate::postgres::server::is_of_server;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega listener proof 1";

/// The proof, made with the root key.
pub struct KeyedListenerProof {
    keyed: RwLock<Hmac<Sha256>>,
    /// Of several machines that share a database and its key; nothing where one machine has it.
    machine: Option<Uuid>,
    /// What belongs to the database on this machine, without links.
    database: PathBuf,
}

impl fmt::Debug for KeyedListenerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedListenerProof([redacted])")
    }
}

impl KeyedListenerProof {
    pub(crate) fn new(key: &RootKey, machine: Option<Uuid>, database: &Path) -> Self {
        Self {
            keyed: RwLock::new(key.derive(CONTEXT)),
            machine,
            database: database.canonicalize().unwrap_or_else(|_| database.to_owned()),
        }
    }

    /// That of the installation with this database and key, which are left closed. `None` where there is no such key to read.
    pub fn of_installation(place: &DatabasePlace, key: &KeySource) -> Option<Self> {
        let file = place.local_file()?;
        let machine = is_of_server(&place.url)
            .then(|| machine_id::known(&file))
            .flatten();
        let key = RootKey::load_from(key).ok()?;
        Some(Self::new(&key, machine, &file))
    }

    /// From now on with the next root key.
    pub(crate) fn is_followed_by(&self, key: &RootKey) {
        *self.keyed.write().unwrap_or_else(PoisonError::into_inner) = key.derive(CONTEXT);
    }

    /// Hashes each part after its length, so that no two questions give the same bytes. `::ffff:127.0.0.1` is another
    /// name of the address 127.0.0.1.
    fn over(&self, challenge: &str, address: &ListenerAddress) -> Hmac<Sha256> {
        let address = match address {
            ListenerAddress::Network(address) => {
                let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                address.to_string().into_bytes()
            }
            // No path holds a zero byte.
            ListenerAddress::Socket(path) => {
                let [path, database] =
                    [path, &self.database].map(|path| OsStr::as_encoded_bytes(path.as_ref()));
                [b"unix:", path, b"\0", database].concat()
            }
        };
        let challenge = challenge.as_bytes();
        let length = |part: &[u8]| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        let machine = self.machine.map(Uuid::into_bytes).unwrap_or_default();
        self.keyed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .chain_update(length(challenge))
            .chain_update(challenge)
            .chain_update(length(&address))
            .chain_update(&address)
            .chain_update(machine)
    }
}

impl ListenerProof for KeyedListenerProof {
    fn answer(&self, challenge: &str, address: &ListenerAddress) -> String {
        hex(&self.over(challenge, address).finalize().into_bytes())
    }

    fn is_right(&self, challenge: &str, address: &ListenerAddress, answer: &str) -> bool {
        let Some(answer) = unhex(answer) else {
            return false;
        };
        // In constant time.
        self.over(challenge, address).verify_slice(&answer).is_ok()
    }
}

/// The bytes of lower-case hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let is_plain = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if !digits.len().is_multiple_of(2) || !digits.iter().all(is_plain) {
        return None;
    }
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealing::fingerprint::{Fingerprints, Subject};
    use vega_domain::secret::AccessToken;

    fn proofs() -> (KeyedListenerProof, KeyedListenerProof, RootKey) {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| RootKey::create(&dir.path().join(name)).unwrap();
        let one = key("one");
        (
            KeyedListenerProof::new(&one, None, Path::new("/a")),
            KeyedListenerProof::new(&key("two"), None, Path::new("/a")),
            one,
        )
    }

    fn at(address: &str) -> ListenerAddress {
        ListenerAddress::Network(address.parse().unwrap())
    }

    #[test]
    fn an_answer_is_right_for_its_challenge_at_its_address_under_its_key() {
        let (one, two, _) = proofs();
        let here = at("127.0.0.1:28020");
        let answer = one.answer("challenge", &here);
        assert!(one.is_right("challenge", &here, &answer));
        assert!(!two.is_right("challenge", &here, &answer), "another key");
        assert!(!one.is_right("challengf", &here, &answer), "another challenge");
        for elsewhere in ["127.0.0.1:28021", "127.0.0.2:28020", "[::1]:28020"] {
            assert!(!one.is_right("challenge", &at(elsewhere), &answer), "{elsewhere}");
        }
        let (_, _, key) = proofs();
        let [own, other] =
            [1, 2].map(|id| KeyedListenerProof::new(&key, Some(Uuid::from_u128(id)), Path::new("/a")));
        let answer_there = other.answer("challenge", &here);
        assert!(other.is_right("challenge", &here, &answer_there));
        assert!(
            !own.is_right("challenge", &here, &answer_there),
            "another machine"
        );
        let as_version_6 = at("[::ffff:127.0.0.1]:28020");
        assert!(
            one.is_right("challenge", &as_version_6, &answer),
            "the same address"
        );
        assert_eq!(one.answer("challenge", &as_version_6), answer);
        // Where one part ends and the next begins is sealed too.
        assert!(!one.is_right("challenge1", &at("27.0.0.1:28020"), &answer));
        let mut other = answer.clone();
        let last = if other.ends_with('0') { "1" } else { "0" };
        other.replace_range(answer.len() - 1.., last);
        for wrong in ["", "00", &answer[2..], &other, &format!("{answer}00"), "é", "+f"] {
            assert!(!one.is_right("challenge", &here, wrong), "{wrong}");
        }
    }

    /// What a server says at its socket is of use neither at a port nor for a copy of its database.
    #[test]
    fn at_a_socket_the_path_and_the_database_count() {
        let (one, _, key) = proofs();
        let socket = |path: &str| ListenerAddress::Socket(path.into());
        let here = socket("/run/vega/vega.sock");
        let answer = one.answer("challenge", &here);
        assert!(one.is_right("challenge", &here, &answer));
        assert!(!one.is_right("challenge", &socket("/run/vega/vega2.sock"), &answer));
        assert!(!one.is_right("challenge", &at("127.0.0.1:28020"), &answer));
        let of = |database: &str| KeyedListenerProof::new(&key, None, Path::new(database));
        assert!(of("/a").is_right("challenge", &here, &of("/a").answer("challenge", &here)));
        assert!(
            !of("/b").is_right("challenge", &here, &of("/a").answer("challenge", &here)),
            "a copy"
        );
        // Where the path ends and the database begins counts too.
        let moved = socket("/run/vega/vega.sock/b");
        assert!(!of("/a").is_right("challenge", &moved, &of("/b/a").answer("challenge", &here)));
    }

    /// An installation that is only looked at has the proof of one whose database is open.
    #[test]
    fn a_closed_installation_has_the_proof_of_its_server() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vega.key");
        let key = RootKey::create(&file).unwrap();
        let database = dir.path().join("vega.db");
        std::fs::write(&database, "").unwrap();
        let link = dir.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let here = ListenerAddress::Socket("/run/vega.sock".into());
        let answer = KeyedListenerProof::new(&key, None, &database).answer("challenge", &here);
        let of = |database: &Path, key: &Path| {
            let place = DatabasePlace::from(&format!("sqlite://{}", database.display()));
            KeyedListenerProof::of_installation(&place, &KeySource::from(key))
        };
        for path in [&database, &link] {
            let proof = of(path, &file).unwrap();
            assert!(proof.is_right("challenge", &here, &answer), "{}", path.display());
        }
        assert!(of(&database, &dir.path().join("other.key")).is_none());
    }

    /// Otherwise a caller who may ask for proofs could have fingerprints of guesses made.
    #[test]
    fn its_key_is_not_the_fingerprints() {
        let (one, _, key) = proofs();
        let here = at("127.0.0.1:28020");
        let asked = [
            &9_u64.to_be_bytes()[..],
            b"challenge",
            &15_u64.to_be_bytes(),
            b"127.0.0.1:28020",
        ]
        .concat();
        let text = String::from_utf8(asked).unwrap();
        let token = AccessToken::new(text);
        let noted = Fingerprints::new(&key).note("", Subject::Token(&token));
        let fingerprint = noted.strip_prefix("token ").unwrap();
        assert!(!one.answer("challenge", &here).starts_with(fingerprint));
    }
}
