//! Secrets as types: `Debug` prints `[redacted]`, there is no `Display` and no `Serialize`, memory is wiped on drop.
//! Whoever needs the text says `expose()`, which a reader of the code can search for.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use subtle::ConstantTimeEq;

use crate::invalid_value::InvalidValue;
use crate::reading;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        secret_text!($(#[$doc])* $name, pub fn new);
    };
    ($(#[$doc:meta])* $name:ident, $who:vis fn $new:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the text over; the caller keeps no copy.
            $who fn $new(value: impl Into<String>) -> Self {
                Self(SecretString::from(value.into()))
            }

            /// The text itself, for the one place that must have it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret_text!(
    /// The access token of one API.
    AccessToken
);
secret_text!(
    /// The one-year, read-only token that Upstox may send along; sealed, never served by default.
    ExtendedToken
);
secret_text!(
    /// The authorization code of one redirect; single use, whether or not the exchange succeeds.
    AuthorizationCode
);
secret_text!(
    /// The API secret of a developer app (Upstox calls it `client_secret`).
    ClientSecret
);
secret_text!(
    /// The `state` of one authorize request; whoever knows it can finish the attempt.
    OAuthState
);
/// Compared in constant time: whoever guesses may not learn how far the guess is right.
impl PartialEq for OAuthState {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for OAuthState {}

impl AccessToken {
    /// Reads what a human copied; the refusal repeats none of it.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        reading::access_token(text).map(Self::new)
    }
}

impl ClientSecret {
    /// Reads what a human or a file gives; the refusal repeats none of it.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        reading::client_secret(text).map(Self::new)
    }
}

secret_text!(
    /// An OTP or PIN that the operator typed at Vega's prompt: six digits, used on one screen, then dropped. Only
    /// `SecondFactor::read` makes one.
    SecondFactor,
    pub(crate) fn of_digits
);

secret_text!(
    /// The link to Upstox's dialog for one attempt. It holds `state`.
    AuthorizeLink
);
secret_text!(
    /// The address at which a sign-in ended. It holds the code.
    RedirectAddress
);

secret_text!(
    /// A program's bearer key for the server: `vega_` and 256 random bits. Shown once, never stored.
    KeySecret
);
secret_text!(
    /// What opens one console session, once: 256 random bits. Never stored.
    LinkCode
);
secret_text!(
    /// What the browser of one console session shows with each call, in two parts of 256 random bits. Never stored.
    SessionSecret
);

impl SessionSecret {
    /// From what its cookie holds, and from what the page alone knows. Browsers give a cookie to every port of a host.
    pub fn of_parts(cookie: &str, page: &str) -> Self {
        Self::new(format!("{cookie}.{page}"))
    }

    /// Both parts: the cookie's and the page's.
    pub fn parts(&self) -> (&str, &str) {
        let text = self.expose();
        text.split_once('.').unwrap_or((text, ""))
    }
}

/// What the token endpoint answered, unread: it is sealed before anybody looks into it.
#[derive(Clone)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Whether the body arrived whole and within the cap.
    pub complete: bool,
    body: SecretSlice<u8>,
}

impl RawAnswer {
    /// Wraps what was received.
    pub fn new(status: u16, body: Vec<u8>, complete: bool) -> Self {
        Self {
            status,
            complete,
            body: SecretSlice::from(body),
        }
    }

    /// The body's bytes.
    pub fn expose(&self) -> &[u8] {
        self.body.expose_secret()
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawAnswer {{ status: {}, complete: {}, body: [redacted {} bytes] }}",
            self.status,
            self.complete,
            self.expose().len()
        )
    }
}

/// A token as programs are answered it: written once, handed out often. Whoever holds the last copy wipes it.
#[derive(Clone)]
pub struct TokenAnswer(Arc<SecretSlice<u8>>);

impl TokenAnswer {
    /// Takes the bytes over.
    pub fn new(answer: Vec<u8>) -> Self {
        Self(Arc::new(SecretSlice::from(answer)))
    }
}

/// The bytes themselves, for the answer's body.
impl AsRef<[u8]> for TokenAnswer {
    fn as_ref(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenAnswer([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_secret() {
        let canary = "CANARY-7d1f";
        let shown = [
            format!("{:?}", AccessToken::new(canary)),
            format!("{:?}", ExtendedToken::new(canary)),
            format!("{:?}", AuthorizationCode::new(canary)),
            format!("{:?}", ClientSecret::new(canary)),
            format!("{:?}", OAuthState::new(canary)),
            format!("{:#?}", SecondFactor::of_digits(canary)),
            format!("{:?}", KeySecret::new(canary)),
            format!("{:?}", LinkCode::new(canary)),
            format!("{:?}", SessionSecret::new(canary)),
            format!("{:?}", RawAnswer::new(200, canary.as_bytes().to_vec(), true)),
            format!("{:?}", TokenAnswer::new(canary.as_bytes().to_vec())),
        ];
        for text in shown {
            assert!(!text.contains(canary), "{text}");
            assert!(text.contains("redacted"), "{text}");
        }
    }
}
