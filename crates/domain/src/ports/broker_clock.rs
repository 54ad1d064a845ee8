//! Port: what time Upstox says it is.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::failure::Failure;

/// Asks Upstox for its time, without a token and without the human.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BrokerClock: Send + Sync {
    /// The date of Upstox's answer, in whole seconds; `None` when the answer bore none. MUST fail only when no answer
    /// came at all: whatever else Upstox says, it was there to say it (`any_answer_tells_the_time`,
    /// `without_an_answer_nobody_knows`).
    async fn time(&self) -> Result<Option<DateTime<Utc>>, Failure>;
}
