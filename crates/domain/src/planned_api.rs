//! One API that a plan signs in for, and why: which status calls for a sign-in is decided here. `plan` gathers them.

use std::fmt;

use crate::failure::{Failure, RecoveryAction};
use crate::ids::{AccountId, ApiName, AttemptId, Generation};
use crate::invalid_value::InvalidValue;
use crate::token::{ApiStatus, TokenStatus};

/// Why an API is signed in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInCause {
    /// It has no token.
    Missing,
    /// Its token died at 03:30 IST.
    Expired,
    /// Upstox called its token dead.
    Invalid,
    /// Its token is valid; the operator wants a new one and said why.
    Forced,
}

/// Why the operator overrides a rule; kept in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForceReason(String);

impl ForceReason {
    /// One line of some words.
    pub fn new(words: impl Into<String>) -> Result<Self, InvalidValue> {
        let words = words.into();
        if words.trim().is_empty() || words.chars().any(char::is_control) || words.len() > 300 {
            let rule = "must be one line of words, at most 300 bytes";
            return Err(InvalidValue::new("reason", rule));
        }
        Ok(Self(words.trim().to_owned()))
    }
}

impl std::str::FromStr for ForceReason {
    type Err = InvalidValue;
    fn from_str(words: &str) -> Result<Self, InvalidValue> {
        Self::new(words)
    }
}

impl fmt::Display for ForceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SignInCause {
    /// The cause that follows from a status, if one does. A valid token's is the operator's; an unknown one has none.
    pub fn of(status: TokenStatus, force: Option<&ForceReason>) -> Option<Self> {
        match status {
            TokenStatus::Missing => Some(Self::Missing),
            TokenStatus::Expired => Some(Self::Expired),
            TokenStatus::Invalid => Some(Self::Invalid),
            TokenStatus::Valid => force.map(|_| Self::Forced),
            TokenStatus::Unknown => None,
        }
    }

    /// The word in JSON and on screen; the same as the status it came from.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Forced => "forced",
        }
    }
}

/// One API that will be signed in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedApi {
    /// The API.
    pub api: ApiName,
    /// Its account; all of an account's APIs are taken one after the other, through one browser session.
    pub account: AccountId,
    /// Why.
    pub cause: SignInCause,
    /// The stored generation that the new token follows.
    pub replaces: Option<Generation>,
    /// The unresolved outcome of its last sign-in, if it has one: it may have spent an OTP or made a token that nobody
    /// has, so this API needs a yes of its own.
    pub unresolved: Option<Failure>,
    /// How its last sign-in had failed when this was planned.
    pub last_failure: Option<Failure>,
    /// Which sign-in attempt had ended last then.
    pub last_attempt: Option<AttemptId>,
}

impl PlannedApi {
    /// The unresolved outcome that came after this was planned, if one did: no yes to the plan has seen it. It may be in
    /// the very words of an earlier one.
    pub fn unresolved_since(&self, by_now: &ApiStatus) -> Option<Failure> {
        let failure = by_now.last_failure.as_ref()?;
        let is_seen = self.last_failure.as_ref() == Some(failure) && self.last_attempt == by_now.last_attempt;
        (failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain && !is_seen)
            .then(|| failure.clone())
    }
}

/// The accounts of these APIs, each once, in the order of signing in.
pub(crate) fn accounts_of(apis: &[PlannedApi]) -> Vec<&AccountId> {
    let mut accounts: Vec<&AccountId> = apis.iter().map(|planned| &planned.account).collect();
    accounts.dedup();
    accounts
}
