//! A token with what is known of it. Its value is in no text that this crate writes, and is wiped from memory with its last copy.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Counts the tokens of one API: it grows with each new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u32);

impl Generation {
    /// The generation of this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An access token. A copy is cheap, and shares the value.
#[derive(Clone)]
pub struct Token(Arc<Parts>);

struct Parts {
    value: SecretString,
    generation: Generation,
    valid_until: SystemTime,
}

impl Token {
    /// A token of this value.
    pub fn new(value: impl Into<SecretString>, generation: Generation, valid_until: SystemTime) -> Self {
        Self(Arc::new(Parts {
            value: value.into(),
            generation,
            valid_until,
        }))
    }

    /// The token itself, for the `Authorization` header. Do not keep it: take it from the source for each call.
    pub fn expose(&self) -> &str {
        self.0.value.expose_secret()
    }

    /// Which one it is.
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    /// Upstox takes it until then.
    pub fn valid_until(&self) -> SystemTime {
        self.0.valid_until
    }

    /// So long it lives at `now`; nothing for a dead one.
    pub fn lives_for(&self, now: SystemTime) -> Option<Duration> {
        let left = self.0.valid_until.duration_since(now).ok()?;
        (!left.is_zero()).then_some(left)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("value", &"[redacted]")
            .field("generation", &self.0.generation)
            .field("valid_until", &self.0.valid_until)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_token_holds_its_value() {
        let token = Token::new("canary", Generation::new(3), SystemTime::UNIX_EPOCH);
        let text = format!("{token:?} {token:#?} {:?}", Some(&token));
        assert!(text.contains("[redacted]") && !text.contains("canary"), "{text}");
        assert_eq!(token.expose(), "canary");
    }

    #[test]
    fn it_is_dead_from_its_last_moment_on() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let token = Token::new("", Generation::new(1), at);
        let second = Duration::from_secs(1);
        assert_eq!(token.lives_for(at - second), Some(second));
        assert_eq!(token.lives_for(at), None);
        assert_eq!(token.lives_for(at + second), None);
    }
}
