//! What Vega does unasked while it runs: moves into the database what the spool keeps, and asks Upstox about tokens that
//! were stored before it could confirm them. It never signs in and never asks twice about a token that was answered for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use vega_domain::ports::{Clock, LoginLease, StoreError, TokenSpool};
use vega_domain::token::StoredToken;
use vega_services::{ProfileVerificationService, TokenValidityService};

use crate::spool_import::import_under_lease;

/// Seldom enough for Upstox and the disk, often enough for somebody who waits for one token.
const PAUSE: Duration = Duration::from_secs(15);

/// The work that is always open.
pub struct Upkeep {
    pub(crate) spool: Arc<dyn TokenSpool>,
    pub(crate) lease: Arc<dyn LoginLease>,
    pub(crate) validity: Arc<TokenValidityService>,
    pub(crate) verification: Arc<ProfileVerificationService>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Upkeep {
    /// Again and again, until it is dropped. What fails is tried again.
    pub async fn go_on(&self) -> Infallible {
        loop {
            sleep(PAUSE).await;
            if let Err(error) = self.once().await {
                tracing::warn!(%error, "what is left to do stays so for now");
            }
        }
    }

    /// Once. A database that still fails keeps nobody from being asked.
    pub async fn once(&self) -> Result<(), StoreError> {
        let moved = import_under_lease(&*self.spool, &*self.lease, self.clock.now()).await;
        let mut unconfirmed = self.validity.living().await?;
        let now = self.clock.now();
        unconfirmed.retain(|token| token.verified_at.is_none() && !token.is_refused() && is_due(token, now));
        if !unconfirmed.is_empty() {
            self.verification.verify(unconfirmed).await?;
        }
        moved
    }
}

/// Each time after half of the token's age: an outage of hours is not asked into every few seconds.
fn is_due(token: &StoredToken, now: DateTime<Utc>) -> bool {
    let pause = TimeDelta::from_std(PAUSE)
        .unwrap_or(TimeDelta::MAX)
        .max((now - token.issued_at) / 2);
    token.last_check.is_none_or(|last| now - last.at >= pause)
}
