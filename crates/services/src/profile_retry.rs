//! Asks Upstox whose a token is, where the answer decides over the token. One refusal of a new token does not mean that it is
//! dead, because Upstox may not know it everywhere yet: the question is repeated for a while.

use std::time::Duration;

use tokio::time::sleep;
use vega_domain::ports::{Clock, ProfileAnswer, ProfileApi};
use vega_domain::token::StoredToken;

/// Pauses between the questions about a new token that is refused: over 20 seconds, more and more patiently.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(6),
    Duration::from_secs(7),
];

/// One question, and some more as long as a new token is refused. What was refused so once already is asked about once.
/// The last answer counts: a refusal that is followed by an outage has not been repeated.
pub(crate) async fn ask(profiles: &dyn ProfileApi, clock: &dyn Clock, token: &StoredToken) -> ProfileAnswer {
    let is_fresh = token.is_fresh(clock.now()) && !token.is_refused();
    let mut answer = profiles.profile(&token.access_token).await;
    if !is_fresh || answer != ProfileAnswer::Invalid {
        return answer;
    }
    for pause in PAUSES {
        tracing::info!(api = %token.api, "Upstox refuses a new token; asking again in {} s", pause.as_secs());
        sleep(pause).await;
        answer = profiles.profile(&token.access_token).await;
        if matches!(answer, ProfileAnswer::Valid(_)) {
            break;
        }
    }
    answer
}
