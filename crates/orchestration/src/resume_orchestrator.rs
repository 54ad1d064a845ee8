//! Executes a confirmed plan step by step, one sign-in at a time under the lease, every step on disk. It also clears up
//! after a dead process, so that the next run starts from what is true.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::expiry::{self, in_ist};
use vega_domain::failure::{Failure, FailureReason, Next};
use vega_domain::ids::{AccountId, ApiName, Generation, RunId};
use vega_domain::plan::{Plan, PlannedApi, SignInCause};
use vega_domain::ports::{
    AuditTrail, BrokerClock, Clock, CooldownRepository, EventSink, ExecutionStateRepository, LeaseError,
    LeaseHolder, LoginLease, SignIn, SignInSession, StoreError,
};
use vega_domain::run::{RunRecord, RunState, SkipReason, StepRecord, StepState};
use vega_domain::token::TokenStatus;
use vega_services::{StepRecorder, TokenGenerationService, TokenValidityService};

use crate::cooldown_manager::CooldownManager;
use crate::run_progress::RunProgress;

/// What runs need of the outside.
#[derive(Clone)]
pub struct OrchestrationPorts {
    /// Where runs are kept.
    pub runs: Arc<dyn ExecutionStateRepository>,
    /// One sign-in at a time.
    pub lease: Arc<dyn LoginLease>,
    /// Which accounts may not sign in.
    pub cooldowns: Arc<dyn CooldownRepository>,
    /// For what happens without a change of its own.
    pub audit: Arc<dyn AuditTrail>,
    /// Upstox's time.
    pub broker_clock: Arc<dyn BrokerClock>,
    /// The way of signing in.
    pub sign_in: Arc<dyn SignIn>,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl OrchestrationPorts {
    /// Over these accounts.
    pub fn cooldown_manager(&self, accounts: &Arc<[Account]>) -> CooldownManager {
        CooldownManager::new(
            Arc::clone(accounts),
            Arc::clone(&self.cooldowns),
            Arc::clone(&self.clock),
        )
    }
}

/// Why a run could not be started or kept on disk.
#[derive(Debug, Error)]
pub enum RunError {
    /// Another process signs in.
    #[error("{}", held_by(.0.as_ref()))]
    Held(Option<LeaseHolder>),
    /// A token that a dead process received is sealed in the journal, and the database does not take it.
    /// Signing in again now would waste it and an OTP.
    #[error("the token that an earlier Vega received for {api} could not be stored: {failure}. {}", .failure.reason.advice())]
    NotRecovered {
        /// Whose token.
        api: ApiName,
        /// What the database said.
        failure: Failure,
    },
    /// The database failed. What was stored before stays.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LeaseError> for RunError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held(holder) => Self::Held(holder),
            LeaseError::Store(error) => Self::Store(error),
        }
    }
}

fn held_by(holder: Option<&LeaseHolder>) -> String {
    match holder {
        Some(holder) => format!(
            "another Vega signs in now: process {} on {}, since {} IST",
            holder.pid,
            holder.host,
            in_ist(holder.since).format("%H:%M:%S")
        ),
        None => "another Vega signs in now".into(),
    }
}

/// Executes plans.
pub struct ResumeOrchestrator {
    accounts: Arc<[Account]>,
    ports: OrchestrationPorts,
    cooldowns: CooldownManager,
    validity: Arc<TokenValidityService>,
    generation: Arc<TokenGenerationService>,
}

/// Whether the next API of the account may be taken.
enum GoOn {
    NextApi,
    NextAccount,
    EndRun,
}

impl ResumeOrchestrator {
    /// Over the configured accounts.
    pub fn new(
        accounts: Arc<[Account]>,
        ports: OrchestrationPorts,
        validity: Arc<TokenValidityService>,
        generation: Arc<TokenGenerationService>,
    ) -> Self {
        Self {
            cooldowns: ports.cooldown_manager(&accounts),
            accounts,
            ports,
            validity,
            generation,
        }
    }

    /// Clears up what a dead process left: finishes sealed answers without a human, closes the other attempts, ends its
    /// run as `incomplete`. Does nothing while another process signs in. Returns the left-over run, if there was one.
    pub async fn recover(&self) -> Result<Option<RunRecord>, RunError> {
        // Most starts find nothing, and must not hold the lease against somebody who signs in.
        let any_run = self.ports.runs.active().await?.is_some();
        if !any_run && !self.generation.is_any_attempt_open().await? {
            return Ok(None);
        }
        match self.ports.lease.acquire().await {
            Ok(_lease) => self.recover_under_lease().await,
            Err(LeaseError::Held(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Carries a confirmed plan out. Every token is stored and published as soon as it is there, whatever follows.
    pub async fn execute(&self, plan: &Plan, cancel: &CancellationToken) -> Result<RunRecord, RunError> {
        let _lease = self.ports.lease.acquire().await?;
        self.recover_under_lease().await?;
        // The yes saw these stops. Under the lease, so that a run that is held by another process opens nothing.
        for stop in plan.stopped() {
            let why = "the operator said yes to a plan that named the stop";
            self.cooldowns.open(stop, why).await?;
        }
        let progress = self.begin(plan).await?;
        for account in plan.accounts() {
            if let GoOn::EndRun = self.take_account(&progress, plan, account, cancel).await? {
                break;
            }
        }
        Ok(progress.end().await?)
    }

    async fn begin(&self, plan: &Plan) -> Result<RunProgress<'_>, StoreError> {
        let now = self.ports.clock.now();
        let record = RunRecord {
            id: RunId::at(now),
            state: RunState::Running,
            started_at: now,
            finished_at: None,
            steps: plan
                .apis()
                .iter()
                .map(|planned| StepRecord {
                    api: planned.api.clone(),
                    account: planned.account.clone(),
                    state: StepState::Pending,
                })
                .collect(),
        };
        let planned: Vec<String> = plan
            .apis()
            .iter()
            .map(|planned| format!("{} ({})", planned.api, planned.cause.as_str()))
            .collect();
        let audit = AuditEntry::new(now, AuditKind::RunStarted, planned.join(", ")).in_run(record.id);
        self.ports.runs.begin(&record, &audit).await?;
        self.ports.events.emit(Event::RunStarted {
            run: record.id,
            steps: record.steps.len(),
        });
        Ok(self.progress_of(record))
    }

    fn progress_of(&self, record: RunRecord) -> RunProgress<'_> {
        RunProgress::new(record, &*self.ports.runs, &*self.ports.events, &*self.ports.clock)
    }

    /// All planned APIs of one account, through one session, which is closed on every path.
    async fn take_account(
        &self,
        progress: &RunProgress<'_>,
        plan: &Plan,
        id: &AccountId,
        cancel: &CancellationToken,
    ) -> Result<GoOn, StoreError> {
        let Some(account) = self.accounts.iter().find(|account| account.id == *id) else {
            return Ok(GoOn::NextAccount);
        };
        let mut session: Option<Box<dyn SignInSession>> = None;
        let mut go_on = GoOn::NextApi;
        for planned in plan.apis().iter().filter(|planned| planned.account == *id) {
            let Some(api) = account.apis.iter().find(|api| api.name == planned.api) else {
                continue;
            };
            let taken = self
                .take_step(progress, plan, planned, (account, api), &mut session, cancel)
                .await;
            match taken {
                Ok(next) => go_on = next,
                Err(error) => {
                    close(session).await;
                    return Err(error);
                }
            }
            if !matches!(go_on, GoOn::NextApi) {
                break;
            }
        }
        close(session).await;
        Ok(go_on)
    }

    async fn take_step(
        &self,
        progress: &RunProgress<'_>,
        plan: &Plan,
        planned: &PlannedApi,
        (account, api): (&Account, &Api),
        session: &mut Option<Box<dyn SignInSession>>,
        cancel: &CancellationToken,
    ) -> Result<GoOn, StoreError> {
        if cancel.is_cancelled() {
            return Ok(GoOn::EndRun);
        }
        let run = progress.run();
        if let Some(skip) = self.no_turn(plan, planned).await? {
            progress.move_step(&api.name, StepState::Skipped(skip)).await?;
            return Ok(GoOn::NextApi);
        }
        let made = self
            .make(run, account, api, session, &progress.step(&api.name), cancel)
            .await;
        let (state, go_on) = match made {
            Ok(_) => (StepState::Done, GoOn::NextApi),
            Err(failure) => {
                tracing::info!(api = %api.name, reason = %failure.reason, detail = failure.detail, "sign-in failed");
                // Before the step's end is saved, so that no crash leaves a refused account open.
                self.cooldowns.after(&failure, account, run).await?;
                let go_on = match failure.reason {
                    reason if reason.next() == Next::EndRun => GoOn::EndRun,
                    reason if reason.account_goes_on() => GoOn::NextApi,
                    _ => GoOn::NextAccount,
                };
                (StepState::Failed(failure), go_on)
            }
        };
        progress.move_step(&api.name, state).await?;
        Ok(go_on)
    }

    async fn make(
        &self,
        run: RunId,
        account: &Account,
        api: &Api,
        session: &mut Option<Box<dyn SignInSession>>,
        step: &dyn StepRecorder,
        cancel: &CancellationToken,
    ) -> Result<Generation, Failure> {
        let session = match session {
            Some(session) => session,
            none => none.insert(tokio::select! {
                opened = self.ports.sign_in.open(account) => opened?,
                () = cancel.cancelled() => return Err(Failure::new(FailureReason::Cancelled, "")),
            }),
        };
        self.generation
            .generate(run, account, api, &mut **session, step, cancel)
            .await
    }

    /// Just before its turn: another process or a verification may have settled it, or it is too near 03:30 IST.
    async fn no_turn(&self, plan: &Plan, planned: &PlannedApi) -> Result<Option<SkipReason>, StoreError> {
        let closed = expiry::closed_until(self.ports.clock.now()).filter(|_| plan.force().is_none());
        let Some(status) = self.validity.status(&planned.api).await? else {
            return Ok(None);
        };
        // Another process may have stopped it after this plan was confirmed.
        if self.cooldowns.is_closed(&planned.account).await? {
            return Ok(Some(SkipReason::AccountStopped));
        }
        Ok(match status.status {
            // The operator wants this very token replaced, not one that came after it.
            TokenStatus::Valid
                if planned.cause == SignInCause::Forced && status.generation == planned.replaces =>
            {
                None
            }
            TokenStatus::Valid if status.servable => Some(SkipReason::AlreadyServable),
            TokenStatus::Valid => Some(SkipReason::LastMinute),
            TokenStatus::Unknown => Some(SkipReason::Unknown),
            TokenStatus::Expired | TokenStatus::Invalid | TokenStatus::Missing => {
                closed.map(|_| SkipReason::ClosedHours)
            }
        })
    }

    async fn recover_under_lease(&self) -> Result<Option<RunRecord>, RunError> {
        let left_over = self.ports.runs.active().await?;
        let recovered = self.generation.recover(&self.accounts).await?;
        for attempt in &recovered {
            if let Err(failure) = &attempt.outcome
                && failure.reason == FailureReason::Storage
            {
                return Err(RunError::NotRecovered {
                    api: attempt.api.clone(),
                    failure: failure.clone(),
                });
            }
        }
        let Some(run) = left_over else { return Ok(None) };
        let (id, started_at) = (run.id, run.started_at);
        let under_way = |step: &&StepRecord| !step.state.is_final() && step.state != StepState::Pending;
        let open: Vec<ApiName> = run
            .steps
            .iter()
            .filter(under_way)
            .map(|step| step.api.clone())
            .collect();
        let progress = self.progress_of(run);
        for api in open {
            let outcome = recovered
                .iter()
                .find(|attempt| attempt.run == id && attempt.api == api);
            let state = match outcome.map(|attempt| &attempt.outcome) {
                Some(Ok(_)) => StepState::Done,
                Some(Err(failure)) => StepState::Failed(failure.clone()),
                // It died between storing the token and saying so.
                None if self.stored_since(&api, started_at).await? => StepState::Done,
                None => StepState::Failed(Failure::new(FailureReason::Interrupted, "")),
            };
            progress.move_step(&api, state).await?;
        }
        Ok(Some(progress.end_left_over().await?))
    }

    async fn stored_since(&self, api: &ApiName, since: DateTime<Utc>) -> Result<bool, StoreError> {
        let status = self.validity.status(api).await?;
        Ok(status.is_some_and(|status| status.verified_at.is_some_and(|verified| verified >= since)))
    }
}

async fn close(session: Option<Box<dyn SignInSession>>) {
    if let Some(session) = session {
        session.close().await;
    }
}
