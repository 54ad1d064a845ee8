//! Port: code in, token out.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::account::Api;
use crate::failure::Failure;
use crate::ids::UserId;
use crate::secret::{AccessToken, AuthorizationCode, ExtendedToken, RawAnswer};

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// No byte left this machine, so the code is unused and the call may be made again.
    #[error("the token call could not be sent: {0}")]
    NotSent(Failure),
    /// The call left and its outcome is not known. The code must never be sent again.
    #[error("the token call was sent, but its answer was lost: {0}")]
    OutcomeUnknown(String),
}

/// A successful answer, read.
#[derive(Debug, Clone)]
pub struct TokenAnswer {
    /// The token.
    pub access_token: AccessToken,
    /// The one-year token, where Upstox sent one.
    pub extended_token: Option<ExtendedToken>,
    /// Whose token.
    pub user_id: UserId,
    /// The `exp` claim of the token, where it has one.
    pub exp: Option<DateTime<Utc>>,
}

/// The token endpoint.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenExchange: Send + Sync {
    /// Sends the code once. MUST NOT repeat the call after the first byte left, on no layer
    /// (`a_call_whose_answer_is_lost_is_never_repeated`). Any HTTP answer is returned unread, so that it can be sealed
    /// first.
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError>;

    /// Reads a sealed answer. Pure: the same answer always reads the same.
    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure>;
}
