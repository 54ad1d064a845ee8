//! Takes a token from everybody before its time: first from Vega's readers, in one commit, then from Upstox. It is no
//! sign-in, so it takes no lease and waits for nobody; a newer token, which a run may bring meanwhile, is left alone.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, Generation};
use vega_domain::ports::{
    AuditTrail, Clock, EventSink, LoadedToken, SessionLogout, StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, StoredToken, TokenStatus};

use crate::hot_token_registry::HotTokenRegistry;

/// What revoking a token needs.
pub struct RevocationPorts {
    /// Where tokens are.
    pub tokens: Arc<dyn UpstoxTokenRepository>,
    /// Ends a token's session at Upstox.
    pub logout: Arc<dyn SessionLogout>,
    /// For how the logout went.
    pub audit: Arc<dyn AuditTrail>,
    /// Where readers of this process look.
    pub registry: Arc<HotTokenRegistry>,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Revokes tokens.
pub struct RevocationService(RevocationPorts);

/// A token that no reader of Vega gets any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Whose token it was.
    pub api: ApiName,
    /// Which one.
    pub generation: Generation,
    /// When it would have died.
    pub valid_until: DateTime<Utc>,
    /// Whether it was unusable before: an earlier revocation, or Upstox's word.
    pub was_refused: bool,
    /// Whether it is worth nothing at Upstox either. If not, it may live there until `valid_until`. Of an analytics token nothing is
    /// asked: it lives on there until somebody revokes it on Upstox's page.
    pub logout: Result<(), Failure>,
}

/// Why a token was not revoked for good.
#[derive(Debug, Error)]
pub enum RevocationError {
    /// What is stored could not be read. Nothing was done.
    #[error(transparent)]
    Unknown(StoreError),
    /// It could not be stored that it is revoked, so other programs still get it from Vega.
    #[error("the token of {api} {}, but that is not on record, so programs may still get it: {error}", fate(logout.as_ref()))]
    NotOnRecord {
        /// Whose token.
        api: ApiName,
        /// Whether it is worth nothing at Upstox.
        logout: Result<(), Failure>,
        /// What the database said.
        error: StoreError,
    },
}

fn fate(logout: Result<&(), &Failure>) -> String {
    match logout {
        Ok(()) => "was logged out at Upstox".into(),
        Err(failure) => format!("was not revoked: it could not be logged out at Upstox ({failure})"),
    }
}

/// The newest token of an API, as far as it is known.
struct Target {
    account: Option<AccountId>,
    generation: Generation,
    valid_until: DateTime<Utc>,
    was_refused: bool,
    /// Upstox's own word may be taken back by a later one; the operator's is for good, and has to be on record.
    was_revoked: bool,
    token: Result<AccessToken, Failure>,
}

impl RevocationService {
    /// Over these ports.
    pub fn new(ports: RevocationPorts) -> Self {
        Self(ports)
    }

    /// Revokes the newest token of an API, whichever app or person it was made for. `None`: there is none that may live. One
    /// that is unusable already is logged out all the same, so that a logout that failed can be tried again.
    pub async fn revoke(&self, api: &ApiName) -> Result<Option<Revocation>, RevocationError> {
        let ports = &self.0;
        let now = ports.clock.now();
        let stored = ports.tokens.load_all().await.map_err(RevocationError::Unknown)?;
        let target = self.newest(api, stored).filter(|target| now < target.valid_until);
        let Some(target) = target else {
            return Ok(None);
        };
        let recorded = if target.was_revoked {
            Ok(())
        } else {
            self.record(api, &target, now).await
        };
        // Also where that could not be stored: it is about to die at Upstox.
        ports.registry.remove(api, target.generation);
        // An analytics token is no session: only Upstox's own page ends it.
        let logout = if api.is_of_analytics() {
            Ok(())
        } else {
            self.log_out(api, &target).await
        };
        recorded.map_err(|error| RevocationError::NotOnRecord {
            api: api.clone(),
            logout: logout.clone(),
            error,
        })?;
        ports.events.emit(Event::TokenChecked {
            api: api.clone(),
            status: TokenStatus::Invalid,
        });
        Ok(Some(Revocation {
            api: api.clone(),
            generation: target.generation,
            valid_until: target.valid_until,
            was_refused: target.was_refused,
            logout,
        }))
    }

    /// What is stored, or, where nothing durable took it, what this process alone has.
    fn newest(&self, api: &ApiName, stored: Vec<LoadedToken>) -> Option<Target> {
        let stored = stored
            .into_iter()
            .filter_map(Target::of)
            .find(|(of, _)| of == api);
        let stored = stored.map(|(_, target)| target);
        let hot = self.0.registry.get(api).map(|token| Target {
            account: Some(token.account.clone()),
            generation: token.generation,
            valid_until: token.valid_until,
            was_refused: false,
            was_revoked: false,
            token: Ok(token.access_token.clone()),
        });
        match (stored, hot) {
            (Some(stored), Some(hot)) if hot.generation > stored.generation => Some(hot),
            (Some(stored), _) => Some(stored),
            (None, hot) => hot,
        }
    }

    /// One commit that takes it from every reader, for good.
    async fn record(&self, api: &ApiName, target: &Target, now: DateTime<Utc>) -> Result<(), StoreError> {
        let check = TokenCheck {
            api: api.clone(),
            generation: target.generation,
            check: LastCheck {
                at: now,
                result: CheckResult::Revoked,
            },
        };
        let words = format!("generation {}, by the operator", target.generation);
        let audit = target.audit(api, now, AuditKind::TokenRevoked, words);
        self.0.tokens.record_checks(&[(check, audit)]).await.map(drop)
    }

    async fn log_out(&self, api: &ApiName, target: &Target) -> Result<(), Failure> {
        let token = target.token.as_ref().map_err(Clone::clone)?;
        let logout = self.0.logout.log_out(token).await;
        let how = match &logout {
            Ok(()) => "logged out".to_owned(),
            Err(failure) => format!("could not be logged out: {failure}"),
        };
        let words = format!("generation {}, revoked: {how}", target.generation);
        let now = self.0.clock.now();
        let audit = target.audit(api, now, AuditKind::TokenLoggedOut, words);
        if let Err(error) = self.0.audit.append_about(&audit, token).await {
            tracing::error!(%api, %error, "how a logout went is not on record: {how}");
        }
        logout
    }
}

impl Target {
    fn of(loaded: LoadedToken) -> Option<(ApiName, Self)> {
        let was_revoked = loaded.as_ref().is_ok_and(StoredToken::is_revoked);
        match loaded {
            Ok(token) => Some((
                token.api,
                Self {
                    account: Some(token.account),
                    generation: token.generation,
                    valid_until: token.valid_until,
                    was_refused: token.rejected_at.is_some(),
                    was_revoked,
                    token: Ok(token.access_token),
                },
            )),
            Err(unreadable) if matches!(unreadable.error, StoreError::Erased) => None,
            Err(unreadable) => Some((
                unreadable.api,
                Self {
                    account: None,
                    generation: unreadable.generation,
                    valid_until: unreadable.valid_until,
                    was_refused: false,
                    was_revoked: false,
                    token: Err(Failure::new(
                        FailureReason::Unreadable,
                        unreadable.error.to_string(),
                    )),
                },
            )),
        }
    }

    fn audit(
        &self,
        api: &ApiName,
        now: DateTime<Utc>,
        kind: AuditKind,
        words: impl Into<String>,
    ) -> AuditEntry {
        let mut entry = AuditEntry::new(now, kind, words);
        entry.account.clone_from(&self.account);
        entry.api = Some(api.clone());
        entry
    }
}

#[cfg(test)]
mod tests;
