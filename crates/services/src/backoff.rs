//! Pauses between the attempts of a follower while the database does not answer, and the log entry that says it is behind.

use std::time::Duration;

use tokio::time::sleep;
use vega_domain::ports::StoreError;

/// How long a database that failed is left alone.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Calls `catch_up` until it succeeds. The log says once that `what` (such as "the tokens") may be old, and once that it is
/// not so any more.
pub(crate) async fn until_caught_up<F>(what: &str, catch_up: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut is_behind = false;
    while let Err(error) = catch_up().await {
        if !is_behind {
            tracing::warn!("{what} in memory may be older than the stored ones: {error}");
        }
        is_behind = true;
        sleep(ASK_AGAIN).await;
    }
    if is_behind {
        tracing::info!("{what} in memory are the stored ones again");
    }
}
