//! The sign-in attempts with the spool as fallback for the one record that must not be lost: the token endpoint's answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::event::Event;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, AttemptId, ClientId, Generation, RunId};
use vega_domain::ports::{EventSink, NewAttempt, SignInAttempts, StoreError, UnfinishedAttempt};
use vega_domain::secret::{AuthorizationCode, RawAnswer};

use crate::spool::import::FileTokenSpool;
use crate::spool::records::KeptAnswer;

/// What an answer is about. It is kept here because the database may be unavailable when it is needed.
#[derive(Clone)]
struct About {
    api: ApiName,
    client_id: ClientId,
    generation: Generation,
}

/// `SignInAttempts` over another implementation and the spool.
pub struct SpoolingSignInAttempts {
    database: Arc<dyn SignInAttempts>,
    spool: FileTokenSpool,
    events: Arc<dyn EventSink>,
    known: Mutex<HashMap<AttemptId, About>>,
}

impl SpoolingSignInAttempts {
    /// Reports to `events` what goes into the spool.
    pub fn new(database: Arc<dyn SignInAttempts>, spool: FileTokenSpool, events: Arc<dyn EventSink>) -> Self {
        Self {
            database,
            spool,
            events,
            known: Mutex::default(),
        }
    }

    fn know(&self, attempt: AttemptId, about: About) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(attempt, about);
    }

    fn about(&self, attempt: AttemptId) -> Option<About> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&attempt).cloned()
    }
}

#[async_trait]
impl SignInAttempts for SpoolingSignInAttempts {
    async fn open_attempt(&self, new: &NewAttempt, audit: &AuditEntry) -> Result<(), StoreError> {
        let about = About {
            api: new.api.clone(),
            client_id: new.client_id.clone(),
            generation: new.generation,
        };
        self.know(new.id, about);
        self.database.open_attempt(new, audit).await
    }

    async fn seal_answer(
        &self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let error = match self.database.seal_answer(attempt, answer, at, audit).await {
            Err(
                error @ (StoreError::Failed { .. } | StoreError::NotAccepted(_) | StoreError::TakenOver(_)),
            ) => error,
            sealed => return sealed,
        };
        let is_taken_over = matches!(error, StoreError::TakenOver(_));
        let Some(About {
            api,
            client_id,
            generation,
        }) = self.about(attempt)
        else {
            return Err(if is_taken_over {
                StoreError::Unreadable(format!(
                    "{error}; and of which sign-in this answer is, is not known"
                ))
            } else {
                error
            });
        };
        let kept = KeptAnswer::of(attempt, &api, answer, at, audit);
        if let Err(spool) = self.spool.keep_answer(kept, &api, &client_id, generation).await {
            tracing::error!(%api, %error, %spool, "neither the database nor the spool took an answer");
            // That somebody else has the lease says that the answer is kept.
            return Err(if is_taken_over { spool } else { error });
        }
        let why = error.to_string();
        tracing::error!(%api, why, "the database did not take an answer; it is in the spool");
        // The next start brings it home; this run makes nothing more of it.
        if is_taken_over {
            return Err(error);
        }
        self.events.emit(Event::KeptInSpool { api, why });
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let unfinished = self.database.unfinished().await?;
        for left in &unfinished {
            let about = About {
                api: left.api.clone(),
                client_id: left.client_id.clone(),
                generation: left.generation,
            };
            self.know(left.id, about);
        }
        Ok(unfinished)
    }

    async fn seal_code(
        &self,
        attempt: AttemptId,
        code: &AuthorizationCode,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.database.seal_code(attempt, code, at, audit).await
    }

    async fn close(
        &self,
        attempt: AttemptId,
        failure: &Failure,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.database.close(attempt, failure, at, audit).await
    }

    async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.database.unsaved_failure(run, api).await
    }
}
