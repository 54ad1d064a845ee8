//! Signs in for the APIs of one account, one after the other, through one session. Decides just before each step whether it
//! is still needed and allowed, and what its failure means for the rest of the account and of the run.

use tokio_util::sync::CancellationToken;
use vega_domain::account::{Account, Api};
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::{AccountId, Generation};
use vega_domain::plan::{PlannedApi, SignInCause};
use vega_domain::ports::{SignInSession, StoreError};
use vega_domain::run::{SkipReason, StepState};
use vega_domain::token::TokenStatus;

use crate::retry_policy::{DeferredStep, RetryPolicy};
use crate::run_context::RunContext;

/// What follows a step, or an account's turn.
pub(crate) enum StepOutcome {
    NextApi,
    NextAccount,
    Deferred(DeferredStep),
    EndRun,
}

/// An account's turn: its browser session is opened by the first step that needs one.
struct AccountTurn<'r> {
    account: &'r Account,
    policy: &'r RetryPolicy,
    session: Option<Box<dyn SignInSession>>,
}

/// Takes the steps of one run.
pub(crate) struct StepExecutor<'r>(pub(crate) &'r RunContext<'r>);

impl StepExecutor<'_> {
    /// Takes all planned steps of one account. The session is closed on every path.
    pub(crate) async fn take_account(
        &self,
        id: &AccountId,
        policy: &RetryPolicy,
    ) -> Result<StepOutcome, StoreError> {
        let dependencies = self.0.dependencies;
        let Some(account) = dependencies.account(id) else {
            return Ok(StepOutcome::NextAccount);
        };
        let closed = dependencies.cooldowns.of(id).await?;
        if let Some(cooldown) = closed.filter(|closed| !closed.is_stop()) {
            return self.defer_or_skip(id, &cooldown.failure, policy).await;
        }
        let mut turn = AccountTurn {
            account,
            policy,
            session: None,
        };
        let outcome = self.take_steps(&mut turn).await;
        if let Some(session) = turn.session {
            session.close().await;
        }
        outcome
    }

    async fn take_steps(&self, turn: &mut AccountTurn<'_>) -> Result<StepOutcome, StoreError> {
        for planned in self.planned_for(&turn.account.id) {
            let api = turn.account.apis.iter().find(|api| api.name == planned.api);
            let Some(api) = api.filter(|api| self.0.progress.is_pending(&api.name)) else {
                continue;
            };
            let taken = self.take_step(turn, planned, api).await;
            // What the step came to is on disk; a death in the next seconds loses no refusal.
            if let Some(session) = &mut turn.session {
                session.keep_evidence().await;
            }
            match taken? {
                StepOutcome::NextApi => {}
                end => return Ok(end),
            }
        }
        Ok(StepOutcome::NextApi)
    }

    fn planned_for<'s>(&'s self, account: &'s AccountId) -> impl Iterator<Item = &'s PlannedApi> {
        let planned = self.0.plan.apis().iter();
        planned.filter(move |planned| planned.account == *account)
    }

    /// The account cools down already: its turn comes later, or not in this run.
    async fn defer_or_skip(
        &self,
        id: &AccountId,
        after: &Failure,
        policy: &RetryPolicy,
    ) -> Result<StepOutcome, StoreError> {
        let progress = &self.0.progress;
        let mut pending = self
            .planned_for(id)
            .map(|planned| &planned.api)
            .filter(|api| progress.is_pending(api));
        let Some(first) = pending.next() else {
            return Ok(StepOutcome::NextAccount);
        };
        if let Some(deferred) = policy.defer(first, after) {
            return Ok(StepOutcome::Deferred(deferred));
        }
        for api in [first].into_iter().chain(pending) {
            let skipped = StepState::Skipped(SkipReason::CoolingDown);
            progress.move_step(api, skipped).await?;
        }
        Ok(StepOutcome::NextAccount)
    }

    async fn take_step(
        &self,
        turn: &mut AccountTurn<'_>,
        planned: &PlannedApi,
        api: &Api,
    ) -> Result<StepOutcome, StoreError> {
        let progress = &self.0.progress;
        if self.0.cancel.is_cancelled() {
            return Ok(StepOutcome::EndRun);
        }
        if let Some(end) = self.end_without_sign_in(planned).await? {
            progress.move_step(&api.name, end).await?;
            return Ok(StepOutcome::NextApi);
        }
        let (state, outcome) = match self.sign_in(turn, api).await {
            Ok(_) => (StepState::Done, StepOutcome::NextApi),
            Err(failure) => {
                tracing::info!(api = %api.name, reason = %failure.reason, detail = failure.detail, "sign-in failed");
                // Before the step's end is saved, so that no crash leaves a refused account open.
                let cooldowns = &self.0.dependencies.cooldowns;
                cooldowns.after(&failure, turn.account, progress.run()).await?;
                if let Some(deferred) = turn.policy.defer(&api.name, &failure) {
                    // Where no session opened, it never was anything else.
                    if !progress.is_pending(&api.name) {
                        progress.move_step(&api.name, StepState::Pending).await?;
                    }
                    return Ok(StepOutcome::Deferred(deferred));
                }
                let outcome = match failure.reason {
                    reason if reason.recovery_action() == RecoveryAction::EndRun => StepOutcome::EndRun,
                    reason if reason.account_goes_on() => StepOutcome::NextApi,
                    _ => StepOutcome::NextAccount,
                };
                (StepState::Failed(failure), outcome)
            }
        };
        progress.move_step(&api.name, state).await?;
        Ok(outcome)
    }

    async fn sign_in(&self, turn: &mut AccountTurn<'_>, api: &Api) -> Result<Generation, Failure> {
        let RunContext {
            dependencies,
            progress,
            cancel,
            ..
        } = self.0;
        let account = turn.account;
        let session = match &mut turn.session {
            Some(session) => session,
            none => none.insert(self.open(account, cancel).await?),
        };
        let step = progress.step(&api.name);
        dependencies
            .generation
            .generate(progress.run(), account, api, &mut **session, &step, cancel)
            .await
    }

    async fn open(
        &self,
        account: &Account,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn SignInSession>, Failure> {
        tokio::select! {
            // In this order: a browser that is there is closed in good order.
            biased;
            opened = self.0.dependencies.ports.sign_in.open(account) => opened,
            () = cancel.cancelled() => Err(Failure::new(FailureReason::Cancelled, "")),
        }
    }

    /// Just before its turn, how its step ends without a sign-in: another process, a verification or a recovery may have
    /// settled its token or left its outcome unresolved, or it is too near 03:30 IST.
    async fn end_without_sign_in(&self, planned: &PlannedApi) -> Result<Option<StepState>, StoreError> {
        let dependencies = self.0.dependencies;
        let closed = expiry::closed_until(dependencies.now()).filter(|_| self.0.plan.force().is_none());
        let Some(status) = dependencies.validity.status(&planned.api).await? else {
            return Ok(None);
        };
        // Another process may have stopped it after this plan was confirmed.
        let stop = dependencies.cooldowns.of(&planned.account).await?;
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
        // The yes to the plan did not see an unresolved outcome that came after it.
        let unresolved = planned.unresolved_since(&status);
        Ok(skip.map(StepState::Skipped).or(unresolved.map(StepState::Failed)))
    }
}
