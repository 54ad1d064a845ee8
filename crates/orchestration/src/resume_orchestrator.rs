//! Carries confirmed plans out under the sign-in lease, one sign-in at a time, every step on disk. The parts of a run:
//! `run_start` begins it or takes one up, `account_scheduler` says whose turn it is, `step_executor` signs in,
//! `run_recovery` clears up what a dead process left.

use std::pin::pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vega_domain::accounts::Accounts;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Lease, StoreError};
use vega_domain::run::RunRecord;
use vega_services::{TokenGenerationService, TokenValidityService};

use crate::account_scheduler::{AccountScheduler, LOOK_EVERY};
use crate::ports::OrchestrationPorts;
use crate::retry_policy::WaitPolicy;
use crate::run_context::{RunContext, RunDependencies};
use crate::run_error::RunError;
use crate::run_queries::RunQueries;
use crate::run_recovery::{LeftOver, RunRecovery};
use crate::run_start::RunStart;
use crate::step_executor::{StepExecutor, StepOutcome};

/// Executes plans.
pub struct ResumeOrchestrator {
    dependencies: RunDependencies,
    recovery: RunRecovery,
}

impl ResumeOrchestrator {
    /// Over the configured accounts.
    pub fn new(
        accounts: Accounts,
        ports: OrchestrationPorts,
        validity: Arc<TokenValidityService>,
        generation: Arc<TokenGenerationService>,
    ) -> Self {
        let cooldowns = ports.cooldown_manager(&accounts);
        let dependencies = RunDependencies {
            accounts,
            ports,
            cooldowns,
            validity,
            generation,
        };
        Self {
            dependencies,
            recovery: RunRecovery::default(),
        }
    }

    /// Carries a confirmed plan out. Every token is stored and published as soon as it is there, whatever follows.
    pub async fn execute(
        &self,
        plan: &Plan,
        wait_policy: WaitPolicy,
        cancel: &CancellationToken,
    ) -> Result<RunRecord, RunError> {
        let lease = self.dependencies.ports.lease.acquire().await?;
        match self.execute_under(&*lease, plan, wait_policy, cancel).await {
            Err(RunError::Store(error)) => Err(self.taken_over_or(error).await.into()),
            Err(RunError::BrokeOff { run, error }) => Err(RunError::BrokeOff {
                run,
                error: self.taken_over_or(error).await,
            }),
            ended => ended,
        }
    }

    async fn execute_under(
        &self,
        lease: &dyn Lease,
        plan: &Plan,
        wait_policy: WaitPolicy,
        cancel: &CancellationToken,
    ) -> Result<RunRecord, RunError> {
        let dependencies = &self.dependencies;
        self.recovery.recover_under_lease(dependencies).await?;
        // The yes saw these stops. Under the lease, so that a run that is held by another process opens nothing.
        for stop in plan.stopped() {
            let why = "the operator said yes to a plan that named the stop";
            dependencies.cooldowns.open(stop, why).await?;
        }
        // So that what is received has a place, whatever becomes of the disk.
        let planned: Vec<ApiName> = plan.apis().iter().map(|planned| planned.api.clone()).collect();
        dependencies.ports.spool.prepare(&planned).await?;
        let progress = RunStart(dependencies).begin_or_take_up(plan).await?;
        let run = progress.run();
        let context = RunContext {
            dependencies,
            progress,
            plan,
            wait_policy,
            cancel: cancel.child_token(),
        };
        let stop = context.cancel.clone();
        let mut carry_out = pin!(self.carry_out(context));
        let carried_out = tokio::select! {
            biased;
            carried_out = &mut carry_out => carried_out,
            () = lease.lost() => {
                // Whoever has the lease then has the run too, and nothing more is written: the wait for the human ends, the browser is
                // closed. A call under way is brought home first, for its answer goes into the spool.
                stop.cancel();
                let _ = carry_out.await;
                Err(StoreError::TakenOver(dependencies.ports.lease.holder().await.unwrap_or_default()))
            }
        };
        match carried_out {
            Ok(record) => Ok(record),
            Err(error) => {
                self.break_off(run, &error).await;
                Err(RunError::BrokeOff { run, error })
            }
        }
    }

    /// What the database said; but where another process took the sign-in over, that. A process that was held up for long hears first
    /// that its session has ended.
    async fn taken_over_or(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::TakenOver(_)) {
            return error;
        }
        match self.dependencies.ports.lease.refuse_taken_over().await {
            Err(taken_over @ StoreError::TakenOver(_)) => {
                tracing::info!(%error, "the sign-in was taken over; the database had said");
                taken_over
            }
            _ => error,
        }
    }

    /// A run that is on record as begun, to its end.
    async fn carry_out(&self, context: RunContext<'_>) -> Result<RunRecord, StoreError> {
        let dependencies = &self.dependencies;
        let run = context.progress.run();
        let _watch = self.watch(run, context.cancel.clone());
        let mut scheduler = AccountScheduler::new(&context);
        let steps = StepExecutor(&context);
        while let Some(account) = scheduler.next().await? {
            context.progress.set_out().await?;
            let policy = scheduler.retry_policy(account);
            match steps.take_account(account, &policy).await? {
                StepOutcome::EndRun => break,
                StepOutcome::NextApi | StepOutcome::NextAccount => {}
                StepOutcome::Deferred(step) => scheduler.defer(account, step),
            }
        }
        scheduler.give_up().await?;
        let is_asked = dependencies.ports.runs.is_cancel_requested(run).await?;
        let RunContext { progress, cancel, .. } = context;
        let record = progress.end(is_asked, &dependencies.servable().await?).await?;
        if !cancel.is_cancelled() {
            self.erase_dead_tokens().await;
        }
        dependencies.keep_checkpoint(run).await;
        Ok(record)
    }

    /// A run that cannot go on is not left as one that does: it ends as that of a dead process would. Under the same lease,
    /// so that nobody comes in between. A database that still fails leaves that to whoever clears up next.
    async fn break_off(&self, run: RunId, error: &StoreError) {
        tracing::error!(%run, %error, "a run could not be carried to its end");
        if let Err(error) = self.recovery.recover_under_lease(&self.dependencies).await {
            tracing::error!(%run, %error, "and its end is not on record yet");
        }
    }

    /// Erases what died long ago, by Upstox's time: this computer's clock may have been set ahead since the run began, and
    /// living tokens would be erased. While Upstox does not tell its time, the end of the next run tries again.
    async fn erase_dead_tokens(&self) {
        let Ok(Some(upstox)) = self.dependencies.ports.broker_clock.time().await else {
            tracing::info!("Upstox did not tell its time, so dead tokens stay for now");
            return;
        };
        if let Err(error) = self.dependencies.validity.erase_dead(upstox).await {
            tracing::error!(%error, "dead tokens could not be erased; the end of the next run tries again");
        }
    }

    /// Ends the run when another process asks for it, for as long as the watch lives.
    fn watch(&self, run: RunId, cancel: CancellationToken) -> AbortOnDropHandle<()> {
        let runs = Arc::clone(&self.dependencies.ports.runs);
        AbortOnDropHandle::new(tokio::spawn(async move {
            // A database that fails now fails the run's own next step, loudly.
            while !runs.is_cancel_requested(run).await.unwrap_or(false) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            cancel.cancel();
        }))
    }

    /// Clears up what a dead process left: finishes sealed answers without a human, closes the other attempts, ends its
    /// run as `incomplete`, and gives up incomplete runs of an earlier day. Does nothing while another process signs in.
    pub async fn recover(&self) -> Result<LeftOver, RunError> {
        self.recovery.recover(&self.dependencies).await
    }

    /// Whether what a dead process left is being finished now. To drop that half-way may lose a token.
    pub fn is_recovering(&self) -> bool {
        self.recovery.is_under_way()
    }

    /// Waits until it is not.
    pub async fn recovered(&self) {
        self.recovery.ended().await;
    }

    /// Completes today's incomplete run where every one of its tokens can be used by now. Does nothing while another
    /// process signs in. Returns the run if it was completed.
    pub(crate) async fn complete_if_settled(&self) -> Result<Option<RunRecord>, RunError> {
        RunStart(&self.dependencies).complete_if_settled().await
    }

    /// Puts the operator's answer to a plan on record.
    pub(crate) async fn note_answer(&self, plan: &Plan, answer: Answer) -> Result<(), StoreError> {
        self.dependencies.note_answer(plan, answer).await
    }

    /// What is known of runs.
    pub fn queries(&self) -> RunQueries<'_> {
        RunQueries(&self.dependencies)
    }
}
