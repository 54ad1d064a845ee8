//! Who may call the server: access keys of programs with what each may do, the one-time link into the console, and how long
//! a console session lives. Which call needs which scope is the server's to say; a console session never has one for
//! tokens.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::{AccessKeyId, ApiName, KeyName, SessionId};
use crate::invalid_value::InvalidValue;

/// How long a link into the console waits to be opened.
pub const LINK_LIFE: TimeDelta = TimeDelta::seconds(60);
/// How long a console session lives without a call.
pub const SESSION_IDLE: TimeDelta = TimeDelta::minutes(15);
/// How long a console session lives at most.
pub const SESSION_LIFE: TimeDelta = TimeDelta::hours(12);

/// One thing that a program may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See the status of every API, never a token.
    Status,
    /// Get the token of this API.
    Token(ApiName),
    /// Get the analytics token of this API's account.
    Read(ApiName),
    /// Begin runs, follow and cancel them.
    Runs,
    /// See the settings and the access keys, revoke keys. Nothing else: whoever administers gets no token, and
    /// begins no run, unless that was granted too.
    Admin,
}

impl Scope {
    /// Reads `status`, `token:PRIMARY`, `read:PRIMARY`, `runs` or `admin`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "status" => Ok(Self::Status),
            "runs" => Ok(Self::Runs),
            "admin" => Ok(Self::Admin),
            _ => match text.split_once(':') {
                Some(("token", api)) => ApiName::new(api).map(Self::Token),
                Some(("read", api)) => ApiName::new(api).map(Self::Read),
                _ => Err(InvalidValue::new(
                    "scope",
                    format!("{text:?} must be status, token:API, read:API, runs or admin"),
                )),
            },
        }
    }

    /// Whether it covers what a call needs: this very scope and no other one.
    pub fn allows(&self, needed: &Self) -> bool {
        self == needed
    }
}

impl FromStr for Scope {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.pad("status"),
            Self::Runs => f.pad("runs"),
            Self::Admin => f.pad("admin"),
            Self::Token(api) => f.pad(&format!("token:{api}")),
            Self::Read(api) => f.pad(&format!("read:{api}")),
        }
    }
}

/// SHA-256 of a key, a link's code or a session's secret: all that is kept of them. They have 256 random bits, so nobody
/// finds one for a hash, and how long a look-up takes tells nothing of any of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Wraps a hash.
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash as it is stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// A program's key as the operator sees it: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Whose it is, in the operator's words. No two living keys have the same.
    pub name: KeyName,
    /// What it may do, each once.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is worth nothing; `None`: only by the operator's word.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was shown last, to a minute; `None`: never.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the operator made it worthless.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a key is worth at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It counts.
    Live,
    /// Its end has come.
    Expired,
    /// The operator made it worthless.
    Revoked,
}

impl KeyState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl AccessKey {
    /// What it is worth at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> KeyState {
        match (self.revoked_at, self.is_live(now)) {
            (Some(_), _) => KeyState::Revoked,
            (None, true) => KeyState::Live,
            (None, false) => KeyState::Expired,
        }
    }

    /// Whether it counts at `now`. A revoked one never does again, however the clock is set.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it may do what a call needs.
    pub fn may(&self, needed: &Scope) -> bool {
        self.scopes.iter().any(|scope| scope.allows(needed))
    }
}

/// A link into the console that nobody opened yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleLink {
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

impl ConsoleLink {
    /// Whether it opens a session at `now`. One that seems to come from the future was made before the clock was set back;
    /// it is no better than an old one.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        (now - self.made_at).abs() < LINK_LIFE
    }
}

/// One browser that may use the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// Its id.
    pub id: SessionId,
    /// When its link was opened.
    pub opened_at: DateTime<Utc>,
    /// When it called last, to half a minute.
    pub last_seen_at: DateTime<Utc>,
}

impl ConsoleSession {
    /// Whether it counts at `now`. A clock that is set back prolongs no session by more than the time that it may be
    /// without a call.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        now - self.opened_at < SESSION_LIFE && (now - self.last_seen_at).abs() < SESSION_IDLE
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
    }

    fn token(api: &str) -> Scope {
        Scope::Token(ApiName::new(api).unwrap())
    }

    #[rstest]
    #[case("status", Scope::Status)]
    #[case("runs", Scope::Runs)]
    #[case("admin", Scope::Admin)]
    #[case("token:PRIMARY", token("PRIMARY"))]
    #[case("read:PRIMARY", Scope::Read(ApiName::new("PRIMARY").unwrap()))]
    fn a_scope_reads_back_from_its_text(#[case] text: &str, #[case] scope: Scope) {
        assert_eq!(Scope::parse(text).unwrap(), scope);
        assert_eq!(scope.to_string(), text);
    }

    #[test]
    fn an_api_in_a_scope_may_be_in_any_case() {
        assert_eq!(Scope::parse("token:primary").unwrap(), token("PRIMARY"));
        assert_eq!(token("primary").to_string(), "token:PRIMARY");
    }

    #[rstest]
    #[case("", "scope \"\" must be status, token:API, read:API, runs or admin")]
    #[case(
        "Status",
        "scope \"Status\" must be status, token:API, read:API, runs or admin"
    )]
    #[case("token", "scope \"token\" must be status, token:API, read:API, runs or admin")]
    #[case(
        "token:*",
        "API name \"*\" must start with a letter and hold only A-Z, 0-9 and _"
    )]
    #[case(
        "token:",
        "API name \"\" must start with a letter and hold only A-Z, 0-9 and _"
    )]
    fn what_is_no_scope_is_refused(#[case] text: &str, #[case] words: &str) {
        assert_eq!(Scope::parse(text).unwrap_err().to_string(), words);
    }

    /// Also `admin` allows nothing but what needs `admin`.
    #[test]
    fn a_scope_allows_itself_and_nothing_else() {
        let all = [
            Scope::Status,
            Scope::Runs,
            Scope::Admin,
            token("PRIMARY"),
            token("WEBSOCKET1"),
            Scope::Read(ApiName::new("PRIMARY").unwrap()),
        ];
        for granted in &all {
            for needed in &all {
                assert_eq!(
                    granted.allows(needed),
                    granted == needed,
                    "{granted} for {needed}"
                );
            }
        }
    }

    fn key(scopes: &[Scope], expires: Option<i64>, revoked: Option<i64>) -> AccessKey {
        AccessKey {
            id: AccessKeyId::at(at(0)),
            name: KeyName::new("trader").unwrap(),
            scopes: scopes.to_vec(),
            created_at: at(0),
            expires_at: expires.map(at),
            last_used_at: None,
            revoked_at: revoked.map(at),
        }
    }

    #[rstest]
    #[case::no_end(None, None, 1_000_000, true)]
    #[case::before_its_end(Some(100), None, 99, true)]
    #[case::at_its_end(Some(100), None, 100, false)]
    #[case::revoked(None, Some(50), 60, false)]
    #[case::revoked_and_the_clock_set_back(None, Some(50), 40, false)]
    fn a_key_lives_until_its_end_or_the_operators_word(
        #[case] expires: Option<i64>,
        #[case] revoked: Option<i64>,
        #[case] now: i64,
        #[case] live: bool,
    ) {
        assert_eq!(key(&[], expires, revoked).is_live(at(now)), live);
    }

    #[test]
    fn a_key_may_do_what_one_of_its_scopes_allows() {
        let key = key(&[Scope::Status, token("PRIMARY")], None, None);
        assert!(key.may(&Scope::Status) && key.may(&token("PRIMARY")));
        assert!(!key.may(&token("OPTIONCHAIN1")) && !key.may(&Scope::Admin));
        assert!(!self::key(&[], None, None).may(&Scope::Status));
    }

    #[rstest]
    #[case::at_once(0, true)]
    #[case::last_second(59, true)]
    #[case::too_late(60, false)]
    #[case::clock_set_back_a_little(-5, true)]
    #[case::clock_set_back(-60, false)]
    fn a_link_lives_for_a_minute(#[case] now: i64, #[case] live: bool) {
        assert_eq!(ConsoleLink { made_at: at(0) }.is_live(at(now)), live);
    }

    const HOUR: i64 = 3_600;

    #[rstest]
    #[case::just_opened(0, 0, true)]
    #[case::almost_idle(0, 899, true)]
    #[case::idle(0, 900, false)]
    #[case::busy_to_the_end(12 * HOUR - 60, 12 * HOUR - 1, true)]
    #[case::too_old(12 * HOUR - 1, 12 * HOUR, false)]
    #[case::clock_set_back_a_little(100, 90, true)]
    #[case::clock_set_back(HOUR, 0, false)]
    fn a_session_lives_while_it_is_used_and_not_for_ever(
        #[case] seen: i64,
        #[case] now: i64,
        #[case] live: bool,
    ) {
        let session = ConsoleSession {
            id: SessionId::at(at(0)),
            opened_at: at(0),
            last_seen_at: at(seen),
        };
        assert_eq!(session.is_live(at(now)), live);
    }

    #[test]
    fn a_hash_is_not_shown() {
        assert_eq!(
            format!("{:?}", SecretHash::from_bytes([7; 32])),
            "SecretHash([redacted])"
        );
    }
}
