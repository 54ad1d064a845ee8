//! Proves that a listener belongs to this installation: an HMAC over the challenge and the called address, with a key derived
//! from the root key. Because the address is part of it, a program at another port cannot pass on the answer; and because the machine is,
//! none of another machine can whose server listens at the same port.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use vega_domain::ports::ListenerProof;

use crate::hex::hex;
use crate::key_files::root_key::RootKey;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega listener proof 1";

/// The proof, made with the root key.
pub struct KeyedListenerProof {
    keyed: RwLock<Hmac<Sha256>>,
    /// Of several machines that share a database and its key; nothing where one machine has it.
    machine: Option<Uuid>,
}

impl fmt::Debug for KeyedListenerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedListenerProof([redacted])")
    }
}

impl KeyedListenerProof {
    pub(crate) fn new(key: &RootKey, machine: Option<Uuid>) -> Self {
        Self {
            keyed: RwLock::new(key.derive(CONTEXT)),
            machine,
        }
    }

    /// From now on with the next root key.
    pub(crate) fn is_followed_by(&self, key: &RootKey) {
        *self.keyed.write().unwrap_or_else(PoisonError::into_inner) = key.derive(CONTEXT);
    }

    /// Hashes each part after its length, so that no two questions give the same bytes. `::ffff:127.0.0.1` is another
    /// name of the address 127.0.0.1.
    fn over(&self, challenge: &str, address: SocketAddr) -> Hmac<Sha256> {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let (challenge, address) = (challenge.as_bytes(), address.to_string());
        let length = |part: &[u8]| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        let machine = self.machine.map(Uuid::into_bytes).unwrap_or_default();
        self.keyed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .chain_update(length(challenge))
            .chain_update(challenge)
            .chain_update(length(address.as_bytes()))
            .chain_update(address.as_bytes())
            .chain_update(machine)
    }
}

impl ListenerProof for KeyedListenerProof {
    fn answer(&self, challenge: &str, address: SocketAddr) -> String {
        hex(&self.over(challenge, address).finalize().into_bytes())
    }

    fn is_right(&self, challenge: &str, address: SocketAddr, answer: &str) -> bool {
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
            KeyedListenerProof::new(&one, None),
            KeyedListenerProof::new(&key("two"), None),
            one,
        )
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn an_answer_is_right_for_its_challenge_at_its_address_under_its_key() {
        let (one, two, _) = proofs();
        let here = at("127.0.0.1:28020");
        let answer = one.answer("challenge", here);
        assert!(one.is_right("challenge", here, &answer));
        assert!(!two.is_right("challenge", here, &answer), "another key");
        assert!(!one.is_right("challengf", here, &answer), "another challenge");
        for elsewhere in ["127.0.0.1:28021", "127.0.0.2:28020", "[::1]:28020"] {
            assert!(!one.is_right("challenge", at(elsewhere), &answer), "{elsewhere}");
        }
        let (_, _, key) = proofs();
        let [own, other] = [1, 2].map(|id| KeyedListenerProof::new(&key, Some(Uuid::from_u128(id))));
        let answer_there = other.answer("challenge", here);
        assert!(other.is_right("challenge", here, &answer_there));
        assert!(!own.is_right("challenge", here, &answer_there), "another machine");
        let as_version_6 = at("[::ffff:127.0.0.1]:28020");
        assert!(
            one.is_right("challenge", as_version_6, &answer),
            "the same address"
        );
        assert_eq!(one.answer("challenge", as_version_6), answer);
        // Where one part ends and the next begins is sealed too.
        assert!(!one.is_right("challenge1", at("27.0.0.1:28020"), &answer));
        let mut other = answer.clone();
        let last = if other.ends_with('0') { "1" } else { "0" };
        other.replace_range(answer.len() - 1.., last);
        for wrong in ["", "00", &answer[2..], &other, &format!("{answer}00"), "é", "+f"] {
            assert!(!one.is_right("challenge", here, wrong), "{wrong}");
        }
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
        assert!(!one.answer("challenge", here).starts_with(fingerprint));
    }
}
