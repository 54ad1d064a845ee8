//! A journal in memory that knows about codes, as far as this route asks it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{AuditTrail, CodeDelivery, Delivery, StoreError};
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState};

struct Attempt {
    state: OAuthState,
    api: ApiName,
    code: Option<AuthorizationCode>,
    is_open: bool,
}

/// Attempts by their `state`, and what was audited.
#[derive(Default)]
pub(crate) struct Journal {
    attempts: Mutex<Vec<Attempt>>,
    audited: Mutex<Vec<String>>,
    /// So many codes are not taken before one is.
    pub(crate) full_for: AtomicU32,
}

impl Journal {
    pub(crate) fn opens(&self, state: &str, api: &str) {
        self.attempts.lock().unwrap().push(Attempt {
            state: OAuthState::new(state),
            api: ApiName::new(api).unwrap(),
            code: None,
            is_open: true,
        });
    }

    pub(crate) fn closes(&self, state: &str) {
        let mut attempts = self.attempts.lock().unwrap();
        let state = OAuthState::new(state);
        attempts
            .iter_mut()
            .find(|attempt| attempt.state == state)
            .unwrap()
            .is_open = false;
    }

    pub(crate) fn audited(&self) -> Vec<String> {
        self.audited.lock().unwrap().clone()
    }
}

#[async_trait]
impl AuditTrail for Journal {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let line = format!("{}: {}", entry.kind.code(), entry.detail);
        self.audited.lock().unwrap().push(line);
        Ok(())
    }

    async fn append_about(&self, _entry: &AuditEntry, _token: &AccessToken) -> Result<(), StoreError> {
        unreachable!("this route sees no token")
    }

    async fn keep_checkpoint(&self, _run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        unreachable!("runs end elsewhere")
    }
}

#[async_trait]
impl CodeDelivery for Journal {
    async fn deliver_code(
        &self,
        state: &OAuthState,
        code: &AuthorizationCode,
        _at: DateTime<Utc>,
    ) -> Result<Delivery, StoreError> {
        if self.full_for.load(Ordering::Relaxed) > 0 {
            self.full_for.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Failed {
                doing: "seal a code that came back",
                source: "the disk is full".into(),
            });
        }
        let mut attempts = self.attempts.lock().unwrap();
        let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.state == *state) else {
            return Ok(Delivery::Unknown);
        };
        let api = attempt.api.clone();
        Ok(if !attempt.is_open {
            Delivery::TooLate(api)
        } else if attempt.code.is_some() {
            Delivery::CameBefore(api)
        } else {
            attempt.code = Some(code.clone());
            Delivery::Taken(api)
        })
    }

    async fn delivered_code(&self, state: &OAuthState) -> Result<Option<AuthorizationCode>, StoreError> {
        let attempts = self.attempts.lock().unwrap();
        let attempt = attempts.iter().find(|attempt| attempt.state == *state);
        Ok(attempt.and_then(|attempt| attempt.code.clone()))
    }
}
