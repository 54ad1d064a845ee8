//! Handles reports of programs that Upstox rejects their token. Upstox is asked once for all reports within a few seconds, and a
//! dead token is taken from every reader. A report never starts a sign-in, and never makes a token dead by itself. Whoever is told
//! of a newer token can get it: readers of this process have it by then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use thiserror::Error;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::{AuditTrail, Clock, StoreError, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, StoredToken};

use crate::hot_token_registry::HotTokenRegistry;
use crate::profile_verification_service::ProfileVerificationService;
use crate::registry_follower::RegistryScope;
use crate::token_validity_service::by_api;

/// Whoever reports the same token so soon after another one gets the same answer.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// What examining a report needs.
pub struct RejectionPorts {
    /// Whose tokens may be reported.
    pub scope: RegistryScope,
    /// Where tokens are.
    pub tokens: Arc<dyn UpstoxTokenRepository>,
    /// Asks Upstox, records what it says, and takes dead tokens from the readers.
    pub verification: Arc<ProfileVerificationService>,
    /// Where a token is that nothing durable took.
    pub registry: Arc<HotTokenRegistry>,
    /// Who reported what.
    pub audit: Arc<dyn AuditTrail>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Examines reports of refused tokens.
pub struct RejectionService {
    ports: Arc<RejectionPorts>,
    examinations: Arc<Examinations>,
}

/// The newest examination of each API's token.
type Examinations = Mutex<HashMap<ApiName, Examination>>;

/// What a reported token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportedToken {
    /// Upstox takes it: the program's call was refused for another cause.
    Alive,
    /// It is over, and no reader gets it any more.
    Dead,
    /// It is not the newest one: get the newest.
    Newer,
    /// Upstox did not say; whoever had it still has it.
    Unknown(Failure),
}

/// The answer to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionAnswer {
    /// What was reported.
    pub reported: Generation,
    /// The API's newest token.
    pub newest: Generation,
    /// What the reported one is worth.
    pub token: ReportedToken,
    /// When Upstox was last asked about the newest one.
    pub checked_at: Option<DateTime<Utc>>,
}

/// Why a report was not examined.
#[derive(Debug, Clone, Error)]
pub enum ReportError {
    /// No such API is configured.
    #[error("no API {0} is configured")]
    UnknownApi(ApiName),
    /// There is no such token yet, so nobody can have been refused with it.
    #[error("{api} has no generation {reported} yet; its newest is {}", .newest.map_or("none".to_owned(), |newest| newest.to_string()))]
    Future {
        /// Whose token.
        api: ApiName,
        /// What was reported.
        reported: Generation,
        /// What there is.
        newest: Option<Generation>,
    },
    /// The database failed. What was served before still is.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// The examination ended half-way.
    #[error("the examination of the token was broken off. Report it again")]
    BrokenOff,
}

impl From<StoreError> for ReportError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

type Outcome = Result<RejectionAnswer, ReportError>;

struct Examination {
    reported: Generation,
    began: ClockReading,
    outcome: Shared<BoxFuture<'static, Outcome>>,
    /// Another one follows by itself: this one was told to a report that came after Upstox's answer.
    is_followed: bool,
}

impl Examination {
    /// Whether a report at `now` of this generation gets its answer. A failed one answers nobody else.
    fn answers(&self, reported: Generation, now: &ClockReading) -> bool {
        let is_open = match self.outcome.peek() {
            None => true,
            Some(outcome) => outcome.is_ok() && self.began.age(now) < SHARED_FOR,
        };
        self.reported == reported && is_open
    }

    /// After how long another one has to follow, now that a report gets this answer: the token may have died since.
    fn follow_up(&mut self, now: &ClockReading) -> Option<Duration> {
        let is_good = matches!(self.outcome.peek(), Some(Ok(answer)) if answer.token == ReportedToken::Alive);
        let is_due = is_good && !std::mem::replace(&mut self.is_followed, is_good);
        is_due.then(|| SHARED_FOR.saturating_sub(self.began.age(now)))
    }
}

/// What is known of an API's newest token.
enum Newest {
    Token(Box<StoredToken>),
    /// It is on record, and cannot be had for the app and person that are configured.
    Unavailable(Generation, Option<Failure>),
    None,
}

impl RejectionService {
    /// Over these ports.
    pub fn new(ports: RejectionPorts) -> Self {
        Self {
            ports: Arc::new(ports),
            examinations: Arc::default(),
        }
    }

    /// `who` (for the audit trail) was refused by Upstox with this generation of the API's token. A new token is asked about
    /// for up to 20 s, if no newer one comes before; the examination goes on when the caller waits no more.
    ///
    /// # Errors
    /// No such API or generation, or the database failed. Nothing changed then.
    pub async fn report(&self, api: &ApiName, reported: Generation, who: &str) -> Outcome {
        let token = match self.ports.newest(api).await? {
            Newest::None => return Err(future(api, reported, None)),
            Newest::Unavailable(newest, _) if reported > newest => {
                return Err(future(api, reported, Some(newest)));
            }
            Newest::Unavailable(newest, failure) => {
                let token = match failure {
                    _ if reported < newest => ReportedToken::Newer,
                    Some(failure) => ReportedToken::Unknown(failure),
                    None => ReportedToken::Dead,
                };
                return Ok(answer(reported, newest, token, None));
            }
            Newest::Token(token) if reported > token.generation => {
                return Err(future(api, reported, Some(token.generation)));
            }
            Newest::Token(token) => *token,
        };
        if reported < token.generation {
            self.ports.registry.publish(&token);
            return Ok(answer_about(&token, reported, ReportedToken::Newer));
        }
        // Nobody gets it any more: by time, by the operator's word or Upstox's.
        if token.rejected_at.is_some() || !token.may_live(self.ports.clock.now()) {
            return Ok(answer_about(&token, reported, ReportedToken::Dead));
        }
        let examined = examination(&self.ports, &self.examinations, token, who);
        self.examined_or_newer(api, reported, examined).await
    }

    /// What an examination comes to, unless this process has a newer token before.
    async fn examined_or_newer(
        &self,
        api: &ApiName,
        reported: Generation,
        examined: impl Future<Output = Outcome>,
    ) -> Outcome {
        let mut changes = self.ports.registry.subscribe();
        let mut examined = std::pin::pin!(examined);
        loop {
            // Before the look, so that no change falls between the two.
            changes.borrow_and_update();
            let hot = self.ports.registry.get(api);
            if let Some(newer) = hot.filter(|hot| hot.generation > reported) {
                return Ok(answer_about(&newer, reported, ReportedToken::Newer));
            }
            tokio::select! {
                biased;
                outcome = &mut examined => return outcome,
                _ = changes.changed() => {}
            }
        }
    }
}

/// The examination of this token that is under way or has just been made, or a new one. It is carried out whether or
/// not its first caller waits for it.
fn examination(
    ports: &Arc<RejectionPorts>,
    examinations: &Arc<Examinations>,
    token: StoredToken,
    who: &str,
) -> Shared<BoxFuture<'static, Outcome>> {
    let now = ports.clock.reading();
    let mut held = examinations.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(last) = held.get_mut(&token.api)
        && last.answers(token.generation, &now)
    {
        if let Some(pause) = last.follow_up(&now) {
            let (ports, examinations) = (Arc::clone(ports), Arc::clone(examinations));
            let who = format!("{who}, soon after the last answer");
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                examine_again(&ports, &examinations, &token, &who).await;
            });
        }
        return last.outcome.clone();
    }
    let (api, reported) = (token.api.clone(), token.generation);
    let examining = tokio::spawn(examine(Arc::clone(ports), token, who.to_owned()));
    let outcome = async { examining.await.unwrap_or(Err(ReportError::BrokenOff)) };
    let outcome = outcome.boxed().shared();
    // Its answer is there also where nobody waits for it any more.
    tokio::spawn(outcome.clone());
    let examination = Examination {
        reported,
        began: now,
        outcome: outcome.clone(),
        is_followed: false,
    };
    held.insert(api, examination);
    outcome
}

/// As if the token was reported now, if programs still get it.
async fn examine_again(
    ports: &Arc<RejectionPorts>,
    examinations: &Arc<Examinations>,
    token: &StoredToken,
    who: &str,
) {
    let hot = ports.registry.get(&token.api);
    let Some(hot) = hot.filter(|hot| hot.generation == token.generation) else {
        return;
    };
    let outcome = examination(ports, examinations, StoredToken::clone(&hot), who).await;
    if let Err(error) = outcome {
        tracing::warn!(api = %token.api, %error, "a token that was reported again could not be looked at again");
    }
}

/// Puts the report on record, asks Upstox and records what it says.
async fn examine(ports: Arc<RejectionPorts>, token: StoredToken, who: String) -> Outcome {
    let (api, reported) = (token.api.clone(), token.generation);
    let words = format!("generation {reported}, by {who}");
    let audit = AuditEntry::new(ports.clock.now(), AuditKind::TokenReported, words);
    let audit = audit.about(&token.account, &api);
    ports.audit.append_about(&audit, &token.access_token).await?;
    let mut checked = ports.verification.verify(vec![token]).await?;
    let Some(token) = checked.pop() else {
        return Err(ReportError::BrokenOff);
    };
    // A run may have brought the next one meanwhile.
    match ports.newest(&api).await? {
        Newest::Token(newer) if newer.generation > reported => {
            ports.registry.publish(&newer);
            return Ok(answer_about(&newer, reported, ReportedToken::Newer));
        }
        Newest::Unavailable(newest, _) if newest > reported => {
            return Ok(answer(reported, newest, ReportedToken::Newer, None));
        }
        _ => {}
    }
    let worth = match token.last_check.map(|check| check.result) {
        _ if token.rejected_at.is_some() => ReportedToken::Dead,
        Some(CheckResult::Unknown(reason)) => ReportedToken::Unknown(Failure::new(reason, "")),
        Some(CheckResult::Invalid | CheckResult::Revoked) => ReportedToken::Dead,
        Some(CheckResult::Valid) | None => ReportedToken::Alive,
    };
    tracing::info!(%api, generation = %reported, ?worth, "a program reported that Upstox refuses its token");
    Ok(answer_about(&token, reported, worth))
}

impl RejectionPorts {
    async fn newest(&self, api: &ApiName) -> Result<Newest, ReportError> {
        if !self.scope.includes(api) {
            return Err(ReportError::UnknownApi(api.clone()));
        }
        let stored = self.tokens.load_all().await?;
        let stored = by_api(&stored);
        let newest = match stored.get(api).copied() {
            Some(Ok(token)) if self.scope.fits(token) => Newest::Token(Box::new(token.clone())),
            Some(Err(unreadable)) => {
                let is_over = matches!(unreadable.error, StoreError::Erased)
                    || self.clock.now() >= unreadable.valid_until;
                let failure = Failure::new(FailureReason::Unreadable, unreadable.error.to_string());
                Newest::Unavailable(unreadable.generation, (!is_over).then_some(failure))
            }
            // One of an app or a person of before: nobody gets it.
            Some(Ok(_)) | None => match self.tokens.newest_generation(api).await? {
                Some(newest) => Newest::Unavailable(newest, None),
                None => Newest::None,
            },
        };
        let stored = match &newest {
            Newest::Token(token) => Some(token.generation),
            Newest::Unavailable(generation, _) => Some(*generation),
            Newest::None => None,
        };
        // Nothing durable may have taken the newest one.
        let hot = self.registry.get(api).filter(|hot| Some(hot.generation) > stored);
        Ok(hot.map_or(newest, |hot| Newest::Token(Box::new(StoredToken::clone(&hot)))))
    }
}

fn future(api: &ApiName, reported: Generation, newest: Option<Generation>) -> ReportError {
    ReportError::Future {
        api: api.clone(),
        reported,
        newest,
    }
}

fn answer_about(newest: &StoredToken, reported: Generation, token: ReportedToken) -> RejectionAnswer {
    let checked_at = newest.last_check.map(|check| check.at);
    answer(reported, newest.generation, token, checked_at)
}

fn answer(
    reported: Generation,
    newest: Generation,
    token: ReportedToken,
    checked_at: Option<DateTime<Utc>>,
) -> RejectionAnswer {
    RejectionAnswer {
        reported,
        newest,
        token,
        checked_at,
    }
}

#[cfg(test)]
mod tests;
