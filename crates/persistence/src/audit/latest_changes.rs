//! The list of latest changes: for each row, the audit entry that changed it last. The list is sealed together with the
//! trail's last entry, so an earlier version of a row and a missing row are found, and the list cannot be replaced
//! alone. `row_trust` decides whether the list itself is used.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};

use crate::hex::hex;

/// Stands for all APIs; none has this name.
const EVERY_API: &str = "*";

/// The subject of a latest change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose<'a> {
    /// The newest token of an API.
    Token(&'a str),
    /// An access key.
    Key(uuid::Uuid),
    /// A console link that has not been used.
    Link(&'a [u8]),
    /// A console session that has not ended.
    Session(uuid::Uuid),
    /// The cooldown or stop of a mobile number.
    Closed(&'a str),
    /// The newest OTP request for a mobile number.
    Presses(&'a str),
    /// A sign-in that has not ended.
    Attempt(uuid::Uuid),
    /// The sign-in of an API that ended last.
    Ended(&'a str),
    /// The newest token of an API that was revoked: this token and all earlier ones stay revoked, also in copies
    /// elsewhere.
    Revoked(&'a str),
    /// A program that uses tokens, and that the operator has stopped. It has no row.
    Stopped(&'a str),
    /// A row that does not fit, and was recorded in the audit trail as such.
    Told(&'a str),
    /// The last commits that were lost with a database server. Its number is the timeline of the server that took the place.
    Lost,
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(api) => write!(f, "token {api}"),
            Self::Key(id) => write!(f, "key {id}"),
            Self::Link(hash) => write!(f, "link {}", hex(hash)),
            Self::Session(id) => write!(f, "session {id}"),
            Self::Closed(mobile) => write!(f, "closed {mobile}"),
            Self::Presses(mobile) => write!(f, "presses {mobile}"),
            Self::Attempt(id) => write!(f, "attempt {id}"),
            Self::Ended(api) => write!(f, "ended {api}"),
            Self::Revoked(api) => write!(f, "revoked {api}"),
            Self::Stopped(consumer) => write!(f, "stopped {consumer}"),
            Self::Told(fault) => write!(f, "told {fault}"),
            Self::Lost => f.write_str("lost commits"),
        }
    }
}

/// What is known of a row's latest change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The audit entry that changed it.
    pub(crate) entry: i64,
    /// The generation of a token, the position of an OTP request, or the generation up to which an API's tokens are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<i64>,
    /// The end of a token's life, or the time since which an account is closed, a program is stopped or tokens are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<DateTime<Utc>>,
    /// The name of a closed account or a stopped program, and the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<(String, String)>,
}

impl Mark {
    pub(crate) fn of(entry: i64) -> Self {
        Self {
            entry,
            number: None,
            time: None,
            closed: None,
        }
    }
}

/// The latest change of every row that an older version could replace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks(BTreeMap<String, Mark>);

impl Marks {
    pub(crate) fn get(&self, whose: Whose<'_>) -> Option<&Mark> {
        self.0.get(&whose.to_string())
    }

    pub(crate) fn set(&mut self, whose: Whose<'_>, mark: Mark) {
        self.0.insert(whose.to_string(), mark);
    }

    /// Whether a loss of commits was made safe on a newer timeline than this one.
    pub(crate) fn has_made_safe_since(&self, timeline: i64) -> bool {
        let lost = self.get(Whose::Lost);
        lost.is_some_and(|lost| lost.number > Some(timeline))
    }

    /// Removes a mark. Returns whether there was one.
    pub(crate) fn clear(&mut self, whose: Whose<'_>) -> bool {
        self.0.remove(&whose.to_string()).is_some()
    }

    /// Revokes an API's tokens up to this generation, unless they are already revoked further.
    pub(crate) fn revoke_up_to(&mut self, api: &str, generation: i64, entry: i64, at: DateTime<Utc>) {
        let known = self.get(Whose::Revoked(api)).and_then(|mark| mark.number);
        if known.is_none_or(|known| known < generation) {
            let mark = Mark {
                number: Some(generation),
                time: Some(at),
                ..Mark::of(entry)
            };
            self.set(Whose::Revoked(api), mark);
        }
    }

    /// Revokes every token that was made before `at`.
    pub(crate) fn revoke_all(&mut self, at: DateTime<Utc>) {
        let time = Some(at);
        self.set(Whose::Revoked(EVERY_API), Mark { time, ..Mark::of(0) });
    }

    /// Since when this token is known as revoked, if it is; the answer is the same for every copy of it. A token whose
    /// sign-in is still open can be revoked only by its API's mark: revoking all tokens also ended every open sign-in,
    /// so this sign-in began after that, whatever the clock said then. Whether the sign-in is open is read from the
    /// marks, because its row may have been edited.
    pub(crate) fn revoked_since(&self, new: &NewToken) -> Option<DateTime<Utc>> {
        let token = &new.token;
        let generation = Some(i64::from(token.generation.get()));
        let of_api = self
            .get(Whose::Revoked(token.api.as_str()))
            .filter(|mark| generation <= mark.number);
        let is_open = self.get(Whose::Attempt(new.attempt.as_uuid())).is_some();
        let of_all = || {
            self.get(Whose::Revoked(EVERY_API))
                .filter(|mark| !is_open && Some(token.issued_at) <= mark.time)
        };
        of_api.or_else(of_all)?.time
    }

    /// A token that is kept outside the database, with its revocation applied: a copy of a revoked token is revoked
    /// too.
    pub(crate) fn as_revoked(&self, kept: NewToken) -> StoredToken {
        let revoked_since = self.revoked_since(&kept);
        let mut token = kept.token;
        if let Some(at) = revoked_since {
            let result = CheckResult::Revoked;
            token.apply(LastCheck { at, result });
        }
        token
    }

    /// All marks, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.0.iter().map(|(name, mark)| (&**name, mark))
    }

    /// All marks of this kind, with the rest of their names.
    pub(crate) fn all_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Mark)> {
        self.0
            .iter()
            .filter_map(move |(name, mark)| Some((name.strip_prefix(kind)?.strip_prefix(' ')?, mark)))
    }
}

/// How a row does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is not what Vega wrote.
    Changed,
    /// It is what Vega wrote, but not the latest version.
    PutBack,
    /// It is what Vega wrote, but whether it is the latest version is unknown.
    Outdated,
    /// It is missing.
    Gone,
}

impl Misfit {
    /// The stable name in JSON.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::PutBack | Self::Outdated => "put_back",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "was changed outside Vega",
            Self::PutBack => "is an earlier one that was put back outside Vega",
            Self::Outdated => "may be an earlier one that was put back outside Vega",
            Self::Gone => "was taken away outside Vega",
        })
    }
}
