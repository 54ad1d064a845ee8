//! Executes a confirmed plan step by step, one sign-in at a time under the lease, every step on disk.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vega_domain::account::{Account, Api};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::{self, in_ist};
use vega_domain::failure::{Failure, FailureReason, Next};
use vega_domain::ids::{AccountId, ApiName, Generation, RunId};
use vega_domain::plan::{Plan, PlannedApi, SignInCause};
use vega_domain::ports::{
    Answer, AuditTrail, BrokerClock, Clock, CooldownRepository, ExecutionStateRepository, LeaseError,
    LeaseHolder, LoginLease, Operator, SignIn, SignInSession, StoreError, TokenSpool,
};
use vega_domain::run::{RunRecord, SkipReason, StepState, Wait, WaitCause};
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::TokenStatus;
use vega_services::{StepRecorder, TokenGenerationService, TokenValidityService};

use crate::cooldown_manager::CooldownManager;
use crate::event_hub::EventHub;
use crate::run_progress::RunProgress;
use crate::turns::{LOOK_EVERY, Later, Leeway, Turns, WaitPolicy};

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
    /// Where received tokens are while the database does not take them.
    pub spool: Arc<dyn TokenSpool>,
    /// Upstox's time.
    pub broker_clock: Arc<dyn BrokerClock>,
    /// The human.
    pub operator: Arc<dyn Operator>,
    /// The way of signing in.
    pub sign_in: Arc<dyn SignIn>,
    /// Who wants to know.
    pub events: Arc<EventHub>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long an account cools down.
    pub cooldown: Duration,
}

impl OrchestrationPorts {
    /// Over these accounts.
    pub fn cooldown_manager(&self, accounts: &Arc<[Account]>) -> CooldownManager {
        CooldownManager::new(
            Arc::clone(accounts),
            Arc::clone(&self.cooldowns),
            Arc::clone(&self.clock),
            self.cooldown,
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
    pub(crate) accounts: Arc<[Account]>,
    pub(crate) ports: OrchestrationPorts,
    pub(crate) cooldowns: CooldownManager,
    pub(crate) validity: Arc<TokenValidityService>,
    pub(crate) generation: Arc<TokenGenerationService>,
    /// Held while what a dead process left is finished.
    pub(crate) recovering: tokio::sync::Mutex<()>,
}

/// Whether the next API of the account may be taken.
enum GoOn {
    NextApi,
    NextAccount,
    Later(Later),
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
            recovering: tokio::sync::Mutex::default(),
        }
    }

    /// Carries a confirmed plan out. Every token is stored and published as soon as it is there, whatever follows.
    pub async fn execute(
        &self,
        plan: &Plan,
        wait_policy: WaitPolicy,
        cancel: &CancellationToken,
    ) -> Result<RunRecord, RunError> {
        let _lease = self.ports.lease.acquire().await?;
        self.recover_under_lease().await?;
        // The yes saw these stops. Under the lease, so that a run that is held by another process opens nothing.
        for stop in plan.stopped() {
            let why = "the operator said yes to a plan that named the stop";
            self.cooldowns.open(stop, why).await?;
        }
        // So that what is received has a place, whatever becomes of the disk.
        let planned: Vec<ApiName> = plan.apis().iter().map(|planned| planned.api.clone()).collect();
        self.ports.spool.prepare(&planned).await?;
        let progress = self.begin_or_take_up(plan).await?;
        let run = progress.run();
        match self.carry_out(progress, plan, wait_policy, cancel).await {
            Ok(record) => Ok(record),
            Err(error) => {
                self.break_off(run, &error).await;
                Err(error.into())
            }
        }
    }

    /// A run that is on record as begun, to its end.
    async fn carry_out(
        &self,
        progress: RunProgress<'_>,
        plan: &Plan,
        wait_policy: WaitPolicy,
        cancel: &CancellationToken,
    ) -> Result<RunRecord, StoreError> {
        let cancel = &cancel.child_token();
        let _watch = self.watch(progress.run(), cancel.clone());
        let mut turns = Turns::new(self, &progress, plan, cancel);
        while let Some(account) = turns.next().await? {
            progress.set_out().await?;
            let leeway = turns.leeway(account, wait_policy);
            match self
                .take_account(&progress, plan, account, &leeway, cancel)
                .await?
            {
                GoOn::EndRun => break,
                GoOn::NextApi | GoOn::NextAccount => {}
                GoOn::Later(later) => turns.later(account, later),
            }
        }
        turns.give_up().await?;
        let is_asked = self.ports.runs.is_cancel_requested(progress.run()).await?;
        let record = progress.end(is_asked, &self.servable().await?).await?;
        if !cancel.is_cancelled() {
            self.erase_dead_tokens().await;
        }
        self.keep_head(record.id).await;
        Ok(record)
    }

    /// A run that cannot go on is not left as one that does: it ends as that of a dead process would. Under the same lease,
    /// so that nobody comes in between. A database that still fails leaves that to whoever clears up next.
    async fn break_off(&self, run: RunId, error: &StoreError) {
        tracing::error!(%run, %error, "a run could not be carried to its end");
        if let Err(error) = self.recover_under_lease().await {
            tracing::error!(%run, %error, "and its end is not on record yet");
        }
    }

    /// Erases what died long ago, by Upstox's time: this computer's clock may have been set ahead since the run began, and
    /// living tokens would be erased. While Upstox does not tell its time, the end of the next run tries again.
    async fn erase_dead_tokens(&self) {
        let Ok(Some(upstox)) = self.ports.broker_clock.time().await else {
            tracing::info!("Upstox did not tell its time, so dead tokens stay for now");
            return;
        };
        if let Err(error) = self.validity.erase_dead(upstox).await {
            tracing::error!(%error, "dead tokens could not be erased; the end of the next run tries again");
        }
    }

    /// Keeps the audit trail's end on record. The run is over and stays so, whatever becomes of that.
    pub(crate) async fn keep_head(&self, run: RunId) {
        if let Err(error) = self.ports.audit.keep_head(run, self.ports.clock.now()).await {
            tracing::error!(%run, %error, "the end of the audit trail is not on record: a cut of it may go unnoticed");
        }
    }

    /// Ends the run when another process asks for it, for as long as the watch lives.
    fn watch(&self, run: RunId, cancel: CancellationToken) -> AbortOnDropHandle<()> {
        let runs = Arc::clone(&self.ports.runs);
        AbortOnDropHandle::new(tokio::spawn(async move {
            // A database that fails now fails the run's own next step, loudly.
            while !runs.is_cancel_requested(run).await.unwrap_or(false) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            cancel.cancel();
        }))
    }

    /// Asks the process that holds the active run to end it. Returns the run, if there is one.
    pub async fn request_cancel(&self) -> Result<Option<RunId>, StoreError> {
        self.ports.runs.request_cancel(self.ports.clock.now()).await
    }

    /// The run that a process holds, or left.
    pub async fn active_run(&self) -> Result<Option<RunId>, StoreError> {
        Ok(self.ports.runs.active().await?.map(|run| run.id))
    }

    pub(crate) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == *id)
    }

    pub(crate) fn operator(&self) -> &dyn Operator {
        &*self.ports.operator
    }

    /// Puts the operator's answer to a plan on record.
    pub(crate) async fn note_answer(&self, plan: &Plan, answer: Answer) -> Result<(), StoreError> {
        let (kind, words) = match answer {
            Answer::Yes => (AuditKind::PlanConfirmed, ""),
            Answer::StandingYes => (AuditKind::PlanConfirmed, "without what needs a yes of its own: "),
            Answer::No => (AuditKind::PlanDeclined, "the operator said no: "),
            Answer::NobodyToAsk => (AuditKind::PlanDeclined, "nobody could be asked: "),
        };
        let forced = plan
            .force()
            .map_or(String::new(), |reason| format!("; forced: {reason}"));
        let words = format!("{words}{}{forced}", plan.names());
        let entry = AuditEntry::new(self.ports.clock.now(), kind, words);
        self.ports.audit.append(&entry).await
    }

    /// What keeps the account from signing in now, with the time at which that ends.
    pub(crate) async fn wait_of(&self, id: &AccountId, later: &Later) -> Result<Option<Wait>, StoreError> {
        let now = self.ports.clock.moment();
        let ends = |cause, left: Duration| Wait {
            account: id.clone(),
            cause,
            until: now.at + TimeDelta::from_std(left).unwrap_or_default(),
            left,
        };
        if let Some(cooldown) = self.cooldowns.of(id).await? {
            // A stop that came meanwhile is no wait: the turn comes, and finds it.
            let left = cooldown.left(&now);
            return Ok(left.map(|left| ends(WaitCause::CoolingDown(cooldown.failure), left)));
        }
        if later.is_for_budget()
            && let Some(account) = self.account(id)
            && let OtpAllowance::UsedUp { until } = self.generation.otp_allowance(account).await?
        {
            let left = (until - now.at).to_std().unwrap_or_default();
            return Ok(Some(ends(WaitCause::OtpBudget, left)));
        }
        Ok(None)
    }

    pub(crate) fn progress_of(&self, record: RunRecord) -> RunProgress<'_> {
        RunProgress::new(record, &self.ports)
    }

    /// All planned APIs of one account, through one session, which is closed on every path.
    async fn take_account(
        &self,
        progress: &RunProgress<'_>,
        plan: &Plan,
        id: &AccountId,
        leeway: &Leeway,
        cancel: &CancellationToken,
    ) -> Result<GoOn, StoreError> {
        let Some(account) = self.account(id) else {
            return Ok(GoOn::NextAccount);
        };
        if let Some(cooldown) = self.cooldowns.of(id).await?.filter(|closed| !closed.is_stop()) {
            return self.not_yet(progress, plan, id, cooldown.failure, leeway).await;
        }
        let mut session: Option<Box<dyn SignInSession>> = None;
        let mut go_on = GoOn::NextApi;
        for planned in plan.apis().iter().filter(|planned| planned.account == *id) {
            if !progress.is_pending(&planned.api) {
                continue;
            }
            let Some(api) = account.apis.iter().find(|api| api.name == planned.api) else {
                continue;
            };
            let taken = self
                .take_step(
                    progress,
                    plan,
                    planned,
                    (account, api),
                    leeway,
                    &mut session,
                    cancel,
                )
                .await;
            // What the step came to is on disk; a death in the next seconds loses no refusal.
            if let Some(session) = &mut session {
                session.keep_evidence().await;
            }
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

    /// The account cools down already: its turn comes later, or not in this run.
    async fn not_yet(
        &self,
        progress: &RunProgress<'_>,
        plan: &Plan,
        id: &AccountId,
        after: Failure,
        leeway: &Leeway,
    ) -> Result<GoOn, StoreError> {
        let ours = plan.apis().iter().filter(|planned| planned.account == *id);
        let mut pending = ours
            .map(|planned| &planned.api)
            .filter(|api| progress.is_pending(api));
        let Some(first) = pending.next() else {
            return Ok(GoOn::NextAccount);
        };
        if let Some(later) = leeway.later(first, &after) {
            return Ok(GoOn::Later(later));
        }
        for api in [first].into_iter().chain(pending) {
            let skipped = StepState::Skipped(SkipReason::CoolingDown);
            progress.move_step(api, skipped).await?;
        }
        Ok(GoOn::NextAccount)
    }

    #[expect(clippy::too_many_arguments, reason = "all that one step is about")]
    async fn take_step(
        &self,
        progress: &RunProgress<'_>,
        plan: &Plan,
        planned: &PlannedApi,
        (account, api): (&Account, &Api),
        leeway: &Leeway,
        session: &mut Option<Box<dyn SignInSession>>,
        cancel: &CancellationToken,
    ) -> Result<GoOn, StoreError> {
        if cancel.is_cancelled() {
            return Ok(GoOn::EndRun);
        }
        let run = progress.run();
        if let Some(end) = self.no_turn(plan, planned).await? {
            progress.move_step(&api.name, end).await?;
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
                if let Some(later) = leeway.later(&api.name, &failure) {
                    // Where no session opened, it never was anything else.
                    if !progress.is_pending(&api.name) {
                        progress.move_step(&api.name, StepState::Pending).await?;
                    }
                    return Ok(GoOn::Later(later));
                }
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
                // In this order: a browser that is there is closed in good order.
                biased;
                opened = self.ports.sign_in.open(account) => opened?,
                () = cancel.cancelled() => return Err(Failure::new(FailureReason::Cancelled, "")),
            }),
        };
        self.generation
            .generate(run, account, api, &mut **session, step, cancel)
            .await
    }

    /// Just before its turn, how its step ends without one: another process, a verification or a recovery may have settled
    /// its token or put it in doubt, or it is too near 03:30 IST.
    async fn no_turn(&self, plan: &Plan, planned: &PlannedApi) -> Result<Option<StepState>, StoreError> {
        let closed = expiry::closed_until(self.ports.clock.now()).filter(|_| plan.force().is_none());
        let Some(status) = self.validity.status(&planned.api).await? else {
            return Ok(None);
        };
        // Another process may have stopped it after this plan was confirmed.
        let stop = self.cooldowns.of(&planned.account).await?;
        if stop.is_some_and(|stop| stop.is_stop()) {
            return Ok(Some(StepState::Skipped(SkipReason::AccountStopped)));
        }
        let skip = match status.status {
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
        };
        // The yes to the plan did not see a doubt that came after it.
        let doubt = planned.doubt_since(&status);
        Ok(skip.map(StepState::Skipped).or(doubt.map(StepState::Failed)))
    }
}

async fn close(session: Option<Box<dyn SignInSession>>) {
    if let Some(session) = session {
        session.close().await;
    }
}
