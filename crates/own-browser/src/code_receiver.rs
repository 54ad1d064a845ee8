//! Hands what a redirect carries to the journal, and puts on record what is refused. It neither waits nor exchanges.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use url::Url;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::authorize::Carried;
use vega_domain::ids::ApiName;
use vega_domain::ports::{AuditTrail, Clock, Delivery, SignInJournal, StoreError};
use vega_domain::secret::{AuthorizationCode, OAuthState};

use crate::refusals::{Goes, HOUR, Refusals};

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
    journal: Arc<dyn SignInJournal>,
    audit: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
    refusals: Arc<Mutex<Refusals>>,
}

impl CodeReceiver {
    /// Over the journal that knows the open attempts.
    pub fn new(journal: Arc<dyn SignInJournal>, audit: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            audit,
            clock,
            refusals: Arc::new(Mutex::new(Refusals::new())),
        }
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
                let words = format!("the sign-in for {api} had ended");
                self.record("its sign-in had ended", words).await?;
            }
            Received::Incomplete => self.record_bare("it lacked a code or a state").await?,
            Received::Foreign => self.record_bare("no sign-in sent its state").await?,
            Received::Taken(_) | Received::CameBefore(_) => {}
        }
        Ok(received)
    }

    /// An OTP was spent on this code, and no other comes: a database that is busy or full may take it a moment later.
    async fn deliver(&self, state: &OAuthState, code: &AuthorizationCode) -> Result<Delivery, StoreError> {
        let give_up = Instant::now() + DATABASE_MAY_TAKE;
        loop {
            match self.journal.deliver_code(state, code, self.clock.now()).await {
                Err(error @ StoreError::Failed { .. }) if Instant::now() < give_up => {
                    tracing::warn!(%error, "a code came back and is not stored yet; Vega tries on");
                    sleep(TRY_EVERY).await;
                }
                delivered => return delivered,
            }
        }
    }

    async fn record_bare(&self, why: &'static str) -> Result<(), StoreError> {
        self.record(why, why.to_owned()).await
    }

    /// Puts a refusal on record, or counts it.
    async fn record(&self, why: &'static str, words: String) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (summary, goes) = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            (refusals.summary(now), refusals.count(why, now))
        };
        if let Some(summary) = summary {
            self.append(summary).await?;
        }
        match goes {
            Goes::OnRecord => self.append(words).await,
            Goes::UncountedSoFar => {
                tracing::warn!(
                    "refused redirects keep coming; no more of them go into the audit trail in this hour, but how many they are"
                );
                self.sum_up_later();
                Ok(())
            }
            Goes::Counted => Ok(()),
        }
    }

    async fn append(&self, words: String) -> Result<(), StoreError> {
        let entry = AuditEntry::new(self.clock.now(), AuditKind::RedirectRefused, words);
        self.audit.append(&entry).await
    }

    /// Says how many were left out when the hour is over, also where no further one comes.
    fn sum_up_later(&self) {
        let (refusals, audit, clock) = (
            Arc::clone(&self.refusals),
            Arc::clone(&self.audit),
            Arc::clone(&self.clock),
        );
        tokio::spawn(async move {
            // The hour began before, so it is over then; by a clock that was set it may not be.
            sleep(HOUR.to_std().unwrap_or_default()).await;
            let now = clock.now();
            let summary = refusals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .summary(now);
            let Some(summary) = summary else { return };
            let entry = AuditEntry::new(now, AuditKind::RedirectRefused, summary);
            if let Err(error) = audit.append(&entry).await {
                tracing::warn!(%error, "how many redirects were refused is not on record");
            }
        });
    }
}
