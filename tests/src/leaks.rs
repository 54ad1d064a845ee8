//! A search for secrets in what a program left behind, in every spelling in which one could slip out: as it is, in
//! base64 (wherever it begins in what was encoded), in hexadecimal and percent-encoded.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What to look for.
#[derive(Debug, Default)]
pub struct Leaks {
    secrets: Vec<Secret>,
}

#[derive(Debug)]
struct Secret {
    name: String,
    plain: String,
    encoded: BTreeSet<String>,
}

impl Leaks {
    /// Looks for this one too; `name` tells what was found without showing it.
    pub fn look_for(&mut self, name: &str, secret: &str) {
        self.secrets.push(Secret {
            name: name.to_owned(),
            plain: secret.to_owned(),
            encoded: encodings(secret.as_bytes()),
        });
    }

    /// The parts of a token that are secret: all but its header, which every token has.
    pub fn look_for_token(&mut self, name: &str, token: &str) {
        for part in token.split('.').skip(1) {
            self.look_for(name, part);
        }
    }

    /// How many secrets are looked for.
    pub fn sought(&self) -> usize {
        self.secrets.len()
    }

    /// The names of the secrets that are in `bytes`.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        // What is not text becomes a character that no secret has.
        let text = String::from_utf8_lossy(bytes);
        self.secrets
            .iter()
            .filter(|secret| {
                let encoded = || secret.encoded.iter().any(|spelling| text.contains(spelling));
                holds(&text, &secret.plain) || encoded()
            })
            .map(|secret| secret.name.as_str())
            .collect()
    }
}

/// A number is there only where no further digit stands beside it: six digits of a longer number are chance.
fn holds(text: &str, plain: &str) -> bool {
    let is_number = plain.bytes().all(|byte| byte.is_ascii_digit());
    text.match_indices(plain).any(|(at, _)| {
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let after = text.as_bytes().get(at + plain.len());
        !(is_number && (is_digit(before) || is_digit(after)))
    })
}

fn encodings(secret: &[u8]) -> BTreeSet<String> {
    let lower_hex = each(secret, |byte| format!("{byte:02x}"));
    let lower_percent = each(secret, |byte| format!("%{byte:02x}"));
    let mut encodings = BTreeSet::from([
        lower_hex.to_uppercase(),
        lower_hex,
        lower_percent.to_uppercase(),
        lower_percent,
        // As addresses have it: only what must be.
        each(secret, |byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        }),
    ]);
    // Searched for as it is, and there more carefully.
    encodings.retain(|spelling| spelling.as_bytes() != secret);
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let mut whole = vec![0; before];
            whole.extend_from_slice(secret);
            let encoded = engine.encode(&whole);
            // Without the characters that also tell of what stands before and after.
            let (first, end) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
            encodings.insert(encoded[first..end].to_owned());
        }
    }
    encodings
}

fn each(secret: &[u8], spell: impl Fn(u8) -> String) -> String {
    secret.iter().map(|byte| spell(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use rstest::rstest;

    use super::*;

    const TOKEN: &str = "e30.aGVsbG8-_w.c2lnbmF0dXJl-_8";

    #[rstest]
    #[case::raw(|secret: &str| format!("code={secret}&x"))]
    #[case::base64(|secret: &str| STANDARD.encode(secret))]
    #[case::base64_inside(|secret: &str| STANDARD.encode(format!("a{secret}&")))]
    #[case::base64_further_inside(|secret: &str| STANDARD.encode(format!("ab{secret}&x")))]
    #[case::base64url(|secret: &str| URL_SAFE.encode(format!("abc{secret}")))]
    #[case::base64url_without_padding(|secret: &str| URL_SAFE_NO_PAD.encode(format!("x={secret}")))]
    #[case::hex(|secret: &str| each(secret.as_bytes(), |byte| format!("{byte:02x}")))]
    #[case::upper_hex(|secret: &str| each(secret.as_bytes(), |byte| format!("{byte:02X}")))]
    #[case::percent(|secret: &str| each(secret.as_bytes(), |byte| format!("%{byte:02X}")))]
    #[case::lower_percent(|secret: &str| each(secret.as_bytes(), |byte| format!("%{byte:02x}")))]
    fn a_planted_leak_is_found(#[case] spell: fn(&str) -> String) {
        for secret in ["482913", "mk404x", "s3cr3t?>~+", "aGVsbG8-_w"] {
            let mut leaks = Leaks::default();
            leaks.look_for("other", "no such thing");
            leaks.look_for("planted", secret);
            let mut bytes = vec![0xff, 0x00];
            bytes.extend(spell(secret).into_bytes());
            bytes.push(0xfe);
            assert_eq!(leaks.found_in(&bytes), ["planted"], "{secret}");
        }
    }

    #[test]
    fn what_must_be_escaped_in_an_address_is_found_there() {
        let mut leaks = Leaks::default();
        leaks.look_for("state", "a/b+c");
        assert_eq!(leaks.found_in(b"?state=a%2Fb%2Bc&"), ["state"]);
    }

    #[test]
    fn each_secret_part_of_a_token_is_found() {
        let mut leaks = Leaks::default();
        leaks.look_for_token("token", TOKEN);
        assert_eq!(leaks.sought(), 2);
        assert_eq!(leaks.found_in(TOKEN.as_bytes()), ["token", "token"]);
        assert_eq!(leaks.found_in(b"sig=c2lnbmF0dXJl-_8;"), ["token"]);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let mut leaks = Leaks::default();
        leaks.look_for("otp", "482913");
        leaks.look_for("code", "mk404x");
        assert_eq!(leaks.found_in(b"elapsed 0.0004829131 s, mk404"), [""; 0]);
    }
}
