//! Keyed fingerprints of secrets in audit entries: entries with the same fingerprint are about the same code, answer or token.
//! Without the key nobody can test a guess. Eight bytes are enough to tell the secrets of one installation apart.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use vega_domain::secret::{AccessToken, AuthorizationCode, RawAnswer};

use crate::hex::hex;
use crate::key_files::root_key::RootKey;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega fingerprint 1";

const LEN: usize = 8;

/// Makes fingerprints.
pub(crate) struct Fingerprints(Hmac<Sha256>);

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints([redacted])")
    }
}

/// The secret that an audit entry is about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// An authorization code.
    Code(&'a AuthorizationCode),
    /// What the token endpoint answered.
    Answer(&'a RawAnswer),
    /// An access token.
    Token(&'a AccessToken),
}

impl Fingerprints {
    pub(crate) fn new(key: &RootKey) -> Self {
        Self(key.derive(CONTEXT))
    }

    /// The entry's text with the fingerprint at its end, so that text from a page cannot pass for a fingerprint.
    pub(crate) fn note(&self, detail: &str, subject: Subject<'_>) -> String {
        let (what, secret) = match subject {
            Subject::Code(code) => ("code", code.expose().as_bytes()),
            Subject::Answer(answer) => ("answer", answer.expose()),
            Subject::Token(token) => ("token", token.expose().as_bytes()),
        };
        let divider = if detail.is_empty() { "" } else { "; " };
        format!("{detail}{divider}{what} {}", self.of(secret))
    }

    fn of(&self, secret: &[u8]) -> String {
        let value = self.0.clone().chain_update(secret).finalize().into_bytes();
        hex(&value[..LEN])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::AuditChain;

    #[test]
    fn a_fingerprint_is_of_this_secret_under_this_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| RootKey::create(&dir.path().join(name)).unwrap();
        let (one, two) = (key("one"), key("two"));
        let token = AccessToken::new("CANARY-token");
        let noted = |key: &RootKey, detail, token: &AccessToken| {
            Fingerprints::new(key).note(detail, Subject::Token(token))
        };
        let first = noted(&one, "", &token);
        assert_eq!(first, noted(&one, "", &token));
        assert_eq!(format!("verified; {first}"), noted(&one, "verified", &token));
        assert_ne!(first, noted(&two, "", &token));
        assert_ne!(first, noted(&one, "", &AccessToken::new("CANARY-tokem")));
        let digits = first.strip_prefix("token ").unwrap();
        assert!(
            digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{first}"
        );
        let code = AuthorizationCode::new("CANARY-token");
        let of_code = Fingerprints::new(&one).note("", Subject::Code(&code));
        assert_eq!(of_code, format!("code {digits}"));
    }

    /// Otherwise a person who may see fingerprints could be shown chain values, and the other way round.
    #[test]
    fn its_key_is_not_the_chains() {
        let dir = tempfile::tempdir().unwrap();
        let key = RootKey::create(&dir.path().join("key")).unwrap();
        // The chain's first value is over these bytes: each part after its length.
        let parts = [&9_u64.to_be_bytes()[..], b"beginning", &1_u64.to_be_bytes(), b"x"].concat();
        let chained = AuditChain::new(&key).beginning(b"x");
        assert_ne!(Fingerprints::new(&key).of(&parts), hex(&chained[..LEN]));
    }
}
