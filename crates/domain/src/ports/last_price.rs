//! Port: a second kind of call that a token opens. It tells what a profile call alone cannot: whether Upstox refuses the
//! token, or only that one call.

use async_trait::async_trait;

use crate::failure::Failure;
use crate::secret::AccessToken;

/// What came of one call for a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastPriceAnswer {
    /// Upstox gave the price, so it takes the token.
    Given,
    /// Upstox said that the token is dead.
    TokenDead,
    /// Neither: network, throttling, a fault of Upstox, an answer that is no price.
    Unknown(Failure),
}

/// Asks for the last price of one index.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LastPriceApi: Send + Sync {
    /// One call. MUST answer `TokenDead` only when Upstox said so about this token
    /// (`upstoxs_own_word_calls_the_token_dead`, `everything_else_is_unknown`).
    async fn last_price(&self, token: &AccessToken) -> LastPriceAnswer;
}
