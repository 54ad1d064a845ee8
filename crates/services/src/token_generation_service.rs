//! One API from sign-in to stored, verified, published token, in the order: intent before effect, seal before think,
//! publish last. Every `[tx]` below is one durable commit with its audit entry.

mod attempt;
mod exchange;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder};
use vega_domain::event::Event;
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::{AccountId, ApiName, AttemptId, Generation, RunId};
use vega_domain::ports::{
    AuditHistory, AuditTrail, Clock, CodeDelivery, EventSink, LeftAnswer, LoginLease, NewAttempt, OtpLedger,
    Presenter, ProfileApi, Prompter, SessionLogout, SignInAttempts, SignInRequest, SignInSession, StoreError,
    TokenExchange, UnfinishedAttempt, UpstoxTokenRepository,
};
use vega_domain::run::StepState;
use vega_domain::secret::{AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::{Notice, OtpAllowance, OtpBudget};
use vega_domain::token::{NewToken, StoredToken};

use self::attempt::{Attempt, LedgerPermit, random_state};
use crate::hot_token_registry::HotTokenRegistry;
use crate::otp_allowances::otp_allowances;

/// Pauses between tries of what had no effect: a call of which no byte left, a sign-in that asked for no OTP. Three tries
/// in all.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];

/// Upstox does not say how long a code lives; an older one is not tried.
const CODE_IS_FRESH: TimeDelta = TimeDelta::minutes(10);

/// Told of each state of a step before it is entered.
#[async_trait]
pub trait StepRecorder: Send + Sync {
    /// Records the state durably.
    async fn record(&self, state: StepState) -> Result<(), StoreError>;
}

/// What generating a token needs.
#[derive(Clone)]
pub struct GenerationPorts {
    /// Where tokens go.
    pub tokens: Arc<dyn UpstoxTokenRepository>,
    /// Whether another process took the sign-in over. Of the same database as the caller's lease, which is known there.
    pub lease: Arc<dyn LoginLease>,
    /// Where attempts are written down.
    pub attempts: Arc<dyn SignInAttempts>,
    /// Whether "Get OTP" may be pressed.
    pub otp_ledger: Arc<dyn OtpLedger>,
    /// Where codes come in.
    pub codes: Arc<dyn CodeDelivery>,
    /// Code in, token out.
    pub exchange: Arc<dyn TokenExchange>,
    /// Confirms the new token.
    pub profiles: Arc<dyn ProfileApi>,
    /// Ends the session of a token that must not be kept.
    pub logout: Arc<dyn SessionLogout>,
    /// For what happens without a change of its own.
    pub audit: Arc<dyn AuditTrail>,
    /// What happened before.
    pub history: Arc<dyn AuditHistory>,
    /// Asks the human.
    pub prompter: Arc<dyn Prompter>,
    /// Shows things to the human.
    pub presenter: Arc<dyn Presenter>,
    /// Where readers look.
    pub registry: Arc<HotTokenRegistry>,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Makes tokens.
pub struct TokenGenerationService {
    ports: GenerationPorts,
    otp_budget: OtpBudget,
}

/// An attempt that was left by a dead process, and what became of it.
#[derive(Debug)]
pub struct Recovered {
    /// The run it belonged to.
    pub run: RunId,
    /// Its account.
    pub account: AccountId,
    /// Its API.
    pub api: ApiName,
    /// Its token, or how it was closed.
    pub outcome: Result<Generation, Failure>,
}

impl TokenGenerationService {
    /// With the OTP budget of the settings.
    pub fn new(ports: GenerationPorts, otp_budget: OtpBudget) -> Self {
        Self { ports, otp_budget }
    }

    /// Makes one token through an open session. The caller holds the sign-in lease. `cancel` ends the wait for the human;
    /// once a code is there, the token is brought home first.
    pub async fn generate(
        &self,
        run: RunId,
        account: &Account,
        api: &Api,
        session: &mut dyn SignInSession,
        steps: &dyn StepRecorder,
        cancel: &CancellationToken,
    ) -> Result<Generation, Failure> {
        let generation = Generation::after(self.ports.tokens.newest_generation(&api.name).await?);
        let now = self.ports.clock.now();
        let attempt = Attempt {
            id: AttemptId::at(now),
            run,
            account,
            api,
            generation,
        };

        steps.record(StepState::SigningIn).await?;
        let state = random_state();
        let code = tokio::select! {
            // In this order: a code that came together with the cancel is a code that is there.
            biased;
            code = self.sign_in(&attempt, &state, session) => code,
            () = cancel.cancelled() => Err(Failure::new(FailureReason::Cancelled, "")),
        };
        let code = self.or_delivered(&state, code).await;
        let code = code.map_err(|failure| match failure.reason {
            FailureReason::Cancelled => session.refused().unwrap_or(failure),
            _ => failure,
        });
        let code = self.or_close(&attempt, code).await?;

        steps.record(StepState::Exchanging).await?;
        let answered = self.exchange(&attempt, &code).await;
        let (answer, sent_at) = self.or_close(&attempt, answered).await?;

        // From here on the token is brought home whatever becomes of the record of it.
        if let Err(error) = steps.record(StepState::Verifying).await {
            tracing::error!(api = %api.name, %error, "a step is not on record");
        }
        self.finish(&attempt, &answer, sent_at).await
    }

    /// How many "Get OTP" presses each of the accounts has now, in their order.
    pub async fn otp_allowances(
        &self,
        accounts: impl IntoIterator<Item = &Account>,
    ) -> Result<Vec<OtpAllowance>, StoreError> {
        let ports = &self.ports;
        let now = ports.clock.reading();
        otp_allowances(&*ports.otp_ledger, self.otp_budget, accounts, &now).await
    }

    /// Why an attempt ended whose process died before it could say so.
    pub async fn unsaved_failure(&self, run: RunId, api: &ApiName) -> Result<Option<Failure>, StoreError> {
        self.ports.attempts.unsaved_failure(run, api).await
    }

    /// Whether an attempt stands open: under way in a living process, or left by a dead one.
    pub async fn is_any_attempt_open(&self) -> Result<bool, StoreError> {
        Ok(!self.ports.attempts.unfinished().await?.is_empty())
    }

    /// Finishes or closes what dead processes left. The caller holds the sign-in lease.
    pub async fn recover(&self, accounts: &[Account]) -> Result<Vec<Recovered>, StoreError> {
        let mut recovered = Vec::new();
        for left in self.ports.attempts.unfinished().await? {
            let outcome = self.recover_one(accounts, &left).await;
            tracing::info!(api = %left.api, ?outcome, "recovered a sign-in that was left open");
            recovered.push(Recovered {
                run: left.run,
                account: left.account,
                api: left.api,
                outcome,
            });
        }
        Ok(recovered)
    }

    async fn recover_one(
        &self,
        accounts: &[Account],
        left: &UnfinishedAttempt,
    ) -> Result<Generation, Failure> {
        let configured = accounts
            .iter()
            .find(|account| account.id == left.account)
            .and_then(|account| {
                let api = account
                    .apis
                    .iter()
                    .find(|api| api.name == left.api && api.client_id == left.client_id)?;
                Some(Attempt {
                    id: left.id,
                    run: left.run,
                    account,
                    api,
                    generation: left.generation,
                })
            });
        if let (Some(attempt), Some(code)) = (&configured, self.unsent_code(left)) {
            let answered = self.exchange(attempt, code).await;
            let (answer, sent_at) = self.or_close(attempt, answered).await?;
            return self.finish(attempt, &answer, sent_at).await;
        }
        let failure = match (left.exchange_sent_at, &left.answer, configured) {
            (Some(sent_at), LeftAnswer::Sealed(answer), Some(attempt)) => {
                return self.finish(&attempt, answer, sent_at).await;
            }
            (_, LeftAnswer::Sealed(_), _) => {
                Failure::new(FailureReason::NeedsReview, "its app is not configured any more")
            }
            (_, LeftAnswer::Unreadable(words), _) => Failure::new(FailureReason::NeedsReview, words),
            (Some(_), LeftAnswer::None, _) => {
                let words = match self.left_elsewhere(left).await {
                    Some(dead) => format!(
                        "{dead}. If the answer came, it lies there: start Vega there before you sign in again, and it is used"
                    ),
                    None => "Vega ended before the answer came".into(),
                };
                Failure::new(FailureReason::OutcomeUnknown, words)
            }
            (None, LeftAnswer::None, _) if left.otp_pressed => {
                Failure::new(FailureReason::InterruptedPastPress, "")
            }
            (None, LeftAnswer::None, _) => Failure::new(FailureReason::Interrupted, ""),
        };
        self.close(left.id, left.run, &left.account, &left.api, &failure)
            .await?;
        Err(failure)
    }

    /// Whose attempt it was, in the words of whoever took over from a process on another machine: the first one since it began.
    async fn left_elsewhere(&self, left: &UnfinishedAttempt) -> Option<String> {
        let taken_over = AuditFilter {
            since: Some(left.opened_at),
            kind: Some(AuditKind::LeaseTakenOver),
            ..AuditFilter::default()
        };
        let first = self
            .ports
            .history
            .page(&taken_over, AuditOrder::OldestFirst, None, 1);
        match first.await {
            Ok(first) => first.into_iter().next().map(|found| found.entry.detail),
            Err(error) => {
                tracing::warn!(%error, "whose sign-in it was is not known");
                None
            }
        }
    }

    /// A code that came back while nobody lived to send it. The human has done their part, so it is not wasted, as long as
    /// it may still be good.
    fn unsent_code<'l>(&self, left: &'l UnfinishedAttempt) -> Option<&'l AuthorizationCode> {
        let is_fresh = self.ports.clock.now() - left.opened_at <= CODE_IS_FRESH;
        left.delivered
            .as_ref()
            .filter(|_| is_fresh && left.exchange_sent_at.is_none())
    }

    /// `[tx1]`, then the human in the window, with `[tx2]` before a press of "Get OTP", or after it if the human made it.
    /// While Upstox is out of reach and no press was asked for, the same attempt is tried again.
    async fn sign_in(
        &self,
        attempt: &Attempt<'_>,
        state: &OAuthState,
        session: &mut dyn SignInSession,
    ) -> Result<AuthorizationCode, Failure> {
        let now = self.ports.clock.now();
        let opened = NewAttempt {
            id: attempt.id,
            run: attempt.run,
            account: attempt.account.id.clone(),
            api: attempt.api.name.clone(),
            client_id: attempt.api.client_id.clone(),
            generation: attempt.generation,
            state: state.clone(),
            opened_at: now,
        };
        let audit = attempt.audit(
            now,
            AuditKind::AttemptOpened,
            format!("for generation {}", attempt.generation),
        );
        self.ports.attempts.open_attempt(&opened, &audit).await?;
        let permit = LedgerPermit::new(
            &*self.ports.otp_ledger,
            &*self.ports.clock,
            attempt,
            self.otp_budget,
        );
        let request = SignInRequest {
            account: attempt.account,
            api: attempt.api,
            state,
            otp_permit: &permit,
            prompter: &*self.ports.prompter,
            presenter: &*self.ports.presenter,
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let failure = match session.sign_in(request).await {
                Ok(code) => return Ok(code),
                Err(failure) => failure,
            };
            let is_harmless =
                failure.reason.recovery_action() == RecoveryAction::RetryBeforePress && !permit.was_asked();
            let Some(pause) = pauses.next().filter(|_| is_harmless) else {
                return Err(failure);
            };
            tracing::info!(%failure, "the sign-in asked for no OTP; trying again");
            self.ports.events.emit(Event::Noticed {
                api: attempt.api.name.clone(),
                notice: Notice::TriesAgain {
                    because: failure.reason,
                    after: pause,
                },
            });
            tokio::time::sleep(pause).await;
        }
    }

    /// A wait that ended in the very moment in which the code was delivered: the browser said so, and it is brought home.
    async fn or_delivered(
        &self,
        state: &OAuthState,
        code: Result<AuthorizationCode, Failure>,
    ) -> Result<AuthorizationCode, Failure> {
        let waited = |reason| matches!(reason, FailureReason::Cancelled | FailureReason::RedirectTimeout);
        match code {
            Err(failure) if waited(failure.reason) => {
                let delivered = self.ports.codes.delivered_code(state).await?;
                delivered.ok_or(failure)
            }
            code => code,
        }
    }

    /// From a sealed answer to a served token: read, compare the user, verify, `[tx5]`, publish.
    /// Needs no human, so a later process can do it for a dead one.
    async fn finish(
        &self,
        attempt: &Attempt<'_>,
        answer: &RawAnswer,
        sent_at: DateTime<Utc>,
    ) -> Result<Generation, Failure> {
        let read = self.ports.exchange.read(answer);
        let answer = self.or_close(attempt, read).await?;
        let owner = self.refuse_stranger(attempt, &answer).await;
        self.or_close(attempt, owner).await?;

        let mut token = StoredToken {
            api: attempt.api.name.clone(),
            account: attempt.account.id.clone(),
            client_id: attempt.api.client_id.clone(),
            user_id: answer.user_id,
            generation: attempt.generation,
            access_token: answer.access_token,
            issued_at: sent_at,
            valid_until: expiry::valid_until_with_exp(sent_at, answer.exp),
            verified_at: None,
            rejected_at: None,
            last_check: None,
        };
        let verdict = self.verify(&mut token).await;
        let now = self.ports.clock.now();
        let words = match &verdict {
            Ok(()) => format!("generation {}, verified", token.generation),
            Err(failure) => format!("generation {}, {failure}", token.generation),
        };
        let audit = attempt.audit(now, AuditKind::TokenStored, words);
        let new = NewToken {
            token,
            extended_token: answer.extended_token,
            attempt: attempt.id,
        };
        let stored = match self.ports.tokens.store(&new, &audit).await {
            // Nobody waits for this token any more, so its attempt must not stay open.
            Err(StoreError::Conflict(words)) => Err(Failure::new(FailureReason::Superseded, words)),
            // If the database refuses, the sealed answer stays in the journal and the next start finishes it.
            stored => {
                if let Err(error) = &stored {
                    self.keep_in_memory(&new.token, error);
                }
                stored.map_err(Failure::from)
            }
        };
        self.or_close(attempt, stored).await?;
        // Also one that cannot be served: what it replaced must not be served any more either.
        let is_hot = self.ports.registry.publish(&new.token);
        verdict?;
        if !is_hot {
            return Err(Failure::new(FailureReason::ExpiredMeanwhile, ""));
        }
        let (api, generation) = (new.token.api.clone(), new.token.generation);
        self.ports.events.emit(Event::TokenPublished { api, generation });
        Ok(attempt.generation)
    }

    /// Neither the database nor the spool took it: as long as this process lives, its programs have it.
    fn keep_in_memory(&self, token: &StoredToken, error: &StoreError) {
        self.ports.registry.publish_unstored(token);
        self.ports.events.emit(Event::KeptInMemoryOnly {
            api: token.api.clone(),
            why: error.to_string(),
        });
    }

    /// Closes the attempt when `result` is a failure that ends it. A failing database does not: what is sealed stays.
    async fn or_close<T>(&self, attempt: &Attempt<'_>, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result
            && !failure.reason.is_of_storage()
        {
            self.close(
                attempt.id,
                attempt.run,
                &attempt.account.id,
                &attempt.api.name,
                failure,
            )
            .await?;
        }
        result
    }

    async fn close(
        &self,
        attempt: AttemptId,
        run: RunId,
        account: &AccountId,
        api: &ApiName,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let now = self.ports.clock.now();
        let audit = AuditEntry::new(
            now,
            AuditKind::AttemptClosed,
            format!("{}: {failure}", failure.reason),
        )
        .about(account, api);
        Ok(self
            .ports
            .attempts
            .close(attempt, failure, now, &audit.in_run(run))
            .await?)
    }
}
