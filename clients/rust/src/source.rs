//! The three calls that every source of tokens has, wherever it takes them from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::changes::Changes;
use crate::error::Error;
use crate::token::{Generation, Token};

/// What a token is worth that Upstox refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Upstox takes it: the call was refused for another cause, such as the static IP.
    Alive,
    /// It is over. The source gives it to nobody any more.
    Dead,
    /// There is a newer one, and the source has it.
    Newer,
    /// Upstox did not say.
    Unknown,
}

/// Where a program takes the token of one API from, for as long as it runs.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The token to use now, which lives for `min_valid` at least. From memory, and never a dead one: the future is ready at once. Only
    /// before the first answer arrived does it wait for that, for a limited time. Take a token for each call to Upstox, and keep none.
    async fn current(&self, min_valid: Duration) -> Result<Token, Error>;

    /// Tells of the token that there is, and of each change: another generation, or none.
    fn changes(&self) -> Changes;

    /// Says that Upstox refused this generation with 401. Asks Upstox about a new token for up to 20 s and more; what follows from the
    /// answer does not depend on whether the caller waits for it. When it is [`Verdict::Newer`], `current` has the newer one.
    async fn report_rejected(&self, generation: Generation) -> Result<Verdict, Error>;
}

#[async_trait]
impl<T: TokenSource + ?Sized> TokenSource for Arc<T> {
    async fn current(&self, min_valid: Duration) -> Result<Token, Error> {
        (**self).current(min_valid).await
    }

    fn changes(&self) -> Changes {
        (**self).changes()
    }

    async fn report_rejected(&self, generation: Generation) -> Result<Verdict, Error> {
        (**self).report_rejected(generation).await
    }
}
