//! Asks Upstox unasked, at set times, about every stored token that may live, so that nothing stays green that nobody
//! looked at. It never signs in. The wall clock decides, however it is set and however long the computer slept.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use vega_domain::check_times::CheckTimes;
use vega_domain::ports::{Clock, StoreError};
use vega_domain::token::StoredToken;
use vega_domain::token_kind::{TokenKind, ending_within_days};
use vega_services::{ProfileVerificationService, TokenValidityService};

/// A clock that is set, or a computer that wakes up, is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The checks of a program that runs on.
pub struct ScheduledChecks {
    pub(crate) times: CheckTimes,
    pub(crate) validity: Arc<TokenValidityService>,
    pub(crate) verification: Arc<ProfileVerificationService>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ScheduledChecks {
    /// Again and again, until it is dropped. A check that fails is made again soon; of those that were slept over, one is
    /// made up for.
    pub async fn go_on(&self) -> Infallible {
        let mut next = self.times.next_after(self.clock.now());
        loop {
            let left = (next - self.clock.now()).to_std().unwrap_or_default();
            sleep(left.min(LOOK_EVERY)).await;
            let now = self.clock.now();
            if now < next {
                // The clock may have been set back.
                next = next.min(self.times.next_after(now));
                continue;
            }
            match self.check().await {
                Ok(checked) => {
                    tracing::info!(checked, "the stored tokens were checked");
                    next = self.times.next_after(now);
                }
                Err(error) => {
                    tracing::warn!(%error, "the stored tokens could not be checked; trying again");
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    /// Also how soon an analytics token ends is said, each time: nobody signs in for it.
    async fn check(&self) -> Result<usize, StoreError> {
        let (mut living, analytics) = self.validity.all_living().await?;
        living.extend(analytics);
        let checked = self.verification.verify(living).await?;
        warn_of_ends(&checked, self.clock.now());
        Ok(checked.len())
    }
}

fn warn_of_ends(checked: &[StoredToken], now: DateTime<Utc>) {
    for token in checked.iter().filter(|token| token.kind() == TokenKind::Read) {
        if token.is_refused() {
            tracing::warn!(account = %token.account, "Upstox refuses the analytics token. Make a new one there, and give it to `vega adopt --analytics {}`", token.account);
        } else if let Some(days) = ending_within_days(token.valid_until, now) {
            tracing::warn!(account = %token.account, days, "the analytics token ends soon. Make a new one at Upstox, and give it to `vega adopt --analytics {}`", token.account);
        }
    }
}
