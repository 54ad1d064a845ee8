//! Port: asks Upstox whose token this is.

use async_trait::async_trait;

use crate::failure::{Failure, FailureReason};
use crate::ids::UserId;
use crate::secret::AccessToken;
use crate::token::{CheckResult, StoredToken};

/// What came of one profile call: three results, never mixed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileAnswer {
    /// Upstox answered with the owner's profile.
    Valid(UserId),
    /// Upstox said that the token is dead.
    Invalid,
    /// Neither: network, throttling, a fault of Upstox, an answer that is no profile.
    Unknown(Failure),
}

impl ProfileAnswer {
    /// What it says about this token.
    pub fn check_for(&self, token: &StoredToken) -> CheckResult {
        match self {
            Self::Valid(user) if *user == token.user_id => CheckResult::Valid,
            Self::Valid(_) => CheckResult::Unknown(FailureReason::WrongUser),
            Self::Invalid => CheckResult::Invalid,
            Self::Unknown(failure) => CheckResult::Unknown(failure.reason),
        }
    }
}

/// Asks for profiles.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ProfileApi: Send + Sync {
    /// One call. MUST answer `Invalid` only when Upstox said so about this token
    /// (`upstoxs_own_word_that_the_token_is_dead_means_invalid`, `everything_else_is_unknown`).
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer;
}
