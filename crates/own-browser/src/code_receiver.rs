//! Hands what a redirect carries to `CodeDelivery`, and puts on record what is refused. It neither waits nor exchanges.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use url::Url;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::authorize::Carried;
use vega_domain::ids::ApiName;
use vega_domain::ports::{AuditTrail, Clock, CodeDelivery, Delivery, StoreError};
use vega_domain::secret::{AuthorizationCode, OAuthState};

/// How long a code waits for the database.
const DATABASE_MAY_TAKE: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(500);

/// What became of a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Its code is sealed for the sign-in that waits for it.
    Taken(ApiName),
    /// That sign-in has its code already; nothing was done a second time.
    CameBefore(ApiName),
    /// That sign-in has ended; refused.
    TooLate(ApiName),
    /// No sign-in of this installation sent its `state`; refused.
    Foreign,
    /// It lacks a code or a `state`; refused.
    Incomplete,
}

impl Received {
    /// Whether nothing was accepted.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::TooLate(_) | Self::Foreign | Self::Incomplete)
    }
}

/// Receives redirects, from a listener or from a paste.
pub struct CodeReceiver {
    codes: Arc<dyn CodeDelivery>,
    audit: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
}

impl CodeReceiver {
    /// Over the port that knows which sign-in waits for which `state`.
    pub fn new(codes: Arc<dyn CodeDelivery>, audit: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>) -> Self {
        Self { codes, audit, clock }
    }

    /// Takes the code that `url` carries, if a sign-in waits for it. The caller knows that `url` is a redirect URI.
    pub async fn receive(&self, url: &Url) -> Result<Received, StoreError> {
        let received = match Carried::by(url) {
            None => Received::Incomplete,
            Some(Carried { state, code }) => match self.deliver(&state, &code).await? {
                Delivery::Taken(api) => Received::Taken(api),
                Delivery::CameBefore(api) => Received::CameBefore(api),
                Delivery::TooLate(api) => Received::TooLate(api),
                Delivery::Unknown => Received::Foreign,
            },
        };
        match &received {
            Received::TooLate(api) => {
                self.record(format!("the sign-in for {api} had ended")).await?;
            }
            Received::Incomplete => self.record("it lacked a code or a state").await?,
            Received::Foreign => self.record("no sign-in sent its state").await?,
            Received::Taken(_) | Received::CameBefore(_) => {}
        }
        Ok(received)
    }

    /// An OTP was spent on this code, and no other comes: a database that is busy or full may take it a moment later.
    async fn deliver(&self, state: &OAuthState, code: &AuthorizationCode) -> Result<Delivery, StoreError> {
        let give_up = Instant::now() + DATABASE_MAY_TAKE;
        loop {
            match self.codes.deliver_code(state, code, self.clock.now()).await {
                Err(error @ StoreError::Failed { .. }) if Instant::now() < give_up => {
                    tracing::warn!(%error, "a code came back and is not stored yet; Vega tries on");
                    sleep(TRY_EVERY).await;
                }
                delivered => return delivered,
            }
        }
    }

    /// The trail has a cap for refusals: whoever reloads a page does not fill it.
    async fn record(&self, why: impl Into<String>) -> Result<(), StoreError> {
        let entry = AuditEntry::new(self.clock.now(), AuditKind::RedirectRefused, why);
        self.audit.append(&entry).await
    }
}
