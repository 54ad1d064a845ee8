//! How the secrets of keys, links and sessions are made, and how they are looked up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use vega_domain::access::SecretHash;
use vega_domain::secret::{KeySecret, LinkCode, SessionSecret};

/// So that a key that was left somewhere is known for one, by people and by scanners.
const KEY_PREFIX: &str = "vega_";

pub(super) fn random_key() -> KeySecret {
    KeySecret::new(format!("{KEY_PREFIX}{}", random_text()))
}

pub(super) fn random_link() -> LinkCode {
    LinkCode::new(random_text())
}

pub(super) fn random_session() -> SessionSecret {
    SessionSecret::of_parts(&random_text(), &random_text())
}

/// What is kept of a secret, and what one that is shown is looked up by.
pub(super) fn hash_of(secret: &str) -> SecretHash {
    SecretHash::from_bytes(Sha256::digest(secret).into())
}

/// 256 random bits in 43 characters.
fn random_text() -> String {
    let mut bits = [0; 32];
    // Without random bits nothing is safe, so nothing goes on.
    getrandom::fill(&mut bits).expect("the system gives random bits");
    URL_SAFE_NO_PAD.encode(bits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_secret_is_text_for_a_header_a_cookie_and_a_link() {
        let key = random_key();
        let text = key.expose().strip_prefix("vega_").unwrap();
        let (link, session) = (random_link(), random_session());
        let (cookie, page) = session.parts();
        assert_ne!(cookie, page);
        for text in [text, link.expose(), cookie, page] {
            assert_eq!(text.len(), 43);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(text.chars().all(is_plain), "{text}");
        }
    }

    /// Every bit is 0 in about half of the texts: with 1,000 of them, one outside 400 to 600 is less likely than 1 in 10^7.
    #[test]
    fn every_bit_is_random() {
        let mut ones = [0_u32; 256];
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let bits = URL_SAFE_NO_PAD.decode(random_text()).unwrap();
            assert!(seen.insert(bits.clone()));
            for (place, ones) in ones.iter_mut().enumerate() {
                *ones += u32::from(bits[place / 8] >> (place % 8) & 1);
            }
        }
        for (place, ones) in ones.into_iter().enumerate() {
            assert!((400..600).contains(&ones), "bit {place}: {ones} of 1,000");
        }
    }

    #[test]
    fn a_hash_is_the_sha_256_of_the_text() {
        let empty = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(URL_SAFE_NO_PAD.encode(hash_of("").as_bytes()), empty);
    }
}
