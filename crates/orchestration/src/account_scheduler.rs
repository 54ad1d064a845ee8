//! Decides whose turn it is in a run. Defers accounts that cool down or are out of OTP budget, and waits when all are deferred.
//! Whether an account comes again at all is decided in `retry_policy`.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::sleep;
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::ports::{Answer, StoreError};
use vega_domain::run::{StepState, Wait, WaitCause};
use vega_domain::sign_in::OtpAllowance;

use crate::retry_policy::{DeferredStep, RetryPolicy};
use crate::run_context::RunContext;

/// How often a run looks what other processes want of it, and a wait whether it is over: the clock may be set, too.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a look at the waiting accounts found.
enum Found {
    /// None waits.
    Nobody,
    /// One waits no more.
    Opened,
    /// All wait, this one for the shortest time.
    AllWait(Wait),
}

enum QueueState {
    Ready,
    Waits(DeferredStep),
    Over,
}

struct QueuedAccount<'r> {
    account: &'r AccountId,
    state: QueueState,
    /// How often it cooled down in this run.
    cooldowns: u32,
}

/// The accounts of one run.
pub(crate) struct AccountScheduler<'r> {
    run: &'r RunContext<'r>,
    accounts: Vec<QueuedAccount<'r>>,
    run_waits: bool,
}

impl<'r> AccountScheduler<'r> {
    pub(crate) fn new(run: &'r RunContext<'r>) -> Self {
        let ready = |account| QueuedAccount {
            account,
            state: QueueState::Ready,
            cooldowns: 0,
        };
        Self {
            run,
            accounts: run.plan.accounts().into_iter().map(ready).collect(),
            run_waits: false,
        }
    }

    /// What may become of `account` if it cannot go on.
    pub(crate) fn retry_policy(&self, account: &AccountId) -> RetryPolicy {
        let mut queued = self.accounts.iter();
        let queued = queued.find(|queued| queued.account == account);
        RetryPolicy {
            wait_policy: self.run.wait_policy,
            cooldowns: queued.map_or(0, |queued| queued.cooldowns),
            somebody_is_there: self.run.dependencies.operator().is_there(),
        }
    }

    /// This account comes again later.
    pub(crate) fn defer(&mut self, account: &AccountId, step: DeferredStep) {
        let mut accounts = self.accounts.iter_mut();
        if let Some(queued) = accounts.find(|queued| queued.account == account) {
            queued.cooldowns += u32::from(!step.is_for_budget());
            queued.state = QueueState::Waits(step);
        }
    }

    /// The account whose turn it is, after a wait if nobody can go on. None when all are through or the run was cancelled.
    pub(crate) async fn next(&mut self) -> Result<Option<&'r AccountId>, StoreError> {
        loop {
            if self.run.cancel.is_cancelled() {
                return Ok(None);
            }
            let ready = self
                .accounts
                .iter_mut()
                .find(|queued| matches!(queued.state, QueueState::Ready));
            if let Some(queued) = ready {
                queued.state = QueueState::Over;
                let account = queued.account;
                if std::mem::take(&mut self.run_waits) {
                    self.run.progress.go_on().await?;
                }
                return Ok(Some(account));
            }
            match self.look().await? {
                Found::Nobody => return Ok(None),
                Found::Opened => {}
                Found::AllWait(first) => self.wait(&first).await?,
            }
        }
    }

    /// Opens a turn whose wait is over, after a fresh yes where that is needed; else says which is over first.
    async fn look(&mut self) -> Result<Found, StoreError> {
        let mut first: Option<Wait> = None;
        for index in 0..self.accounts.len() {
            let QueueState::Waits(step) = &self.accounts[index].state else {
                continue;
            };
            let account = self.accounts[index].account;
            if let Some(wait) = self.wait_of(account, step).await? {
                if first.as_ref().is_none_or(|first| wait.left < first.left) {
                    first = Some(wait);
                }
                continue;
            }
            let step = step.clone();
            if !step.needs_a_yes() || self.says_yes_again(account).await {
                self.accounts[index].state = QueueState::Ready;
            } else {
                self.accounts[index].state = QueueState::Over;
                self.fail(&step).await?;
            }
            return Ok(Found::Opened);
        }
        Ok(first.map_or(Found::Nobody, Found::AllWait))
    }

    /// Asks whether to sign in for the rest of the account.
    async fn says_yes_again(&self, account: &AccountId) -> bool {
        let planned = self.run.plan.apis().iter();
        let rest: Vec<ApiName> = planned
            .filter(|planned| planned.account == *account && self.run.progress.is_pending(&planned.api))
            .map(|planned| planned.api.clone())
            .collect();
        let Some(rest) = self.run.plan.clone().only(&rest) else {
            return false;
        };
        let answer = tokio::select! {
            // In this order, as everywhere here: what happens does not depend on chance.
            biased;
            answer = self.run.dependencies.operator().confirm_again(&rest) => answer,
            () = self.run.cancel.cancelled() => Answer::NobodyToAsk,
        };
        self.run.dependencies.note_answer(&rest, answer).await.is_ok() && answer == Answer::Yes
    }

    /// Until the first wait is over, or may be: somebody may end it in another process.
    async fn wait(&mut self, first: &Wait) -> Result<(), StoreError> {
        if !std::mem::replace(&mut self.run_waits, true) {
            self.run.progress.wait(first).await?;
        }
        let operator = self.run.dependencies.operator();
        let mut shown = operator.show_wait(first);
        let mut now = first.clone();
        loop {
            tokio::select! {
                biased;
                () = self.run.cancel.cancelled() => return Ok(()),
                () = &mut shown => {}
                () = sleep(now.left.min(LOOK_EVERY)) => {}
            }
            for queued in &self.accounts {
                let QueueState::Waits(step) = &queued.state else {
                    continue;
                };
                match self.wait_of(queued.account, step).await? {
                    None => return Ok(()),
                    Some(wait) if wait.account == first.account => now = wait,
                    Some(_) => {}
                }
            }
        }
    }

    /// The accounts that still wait when the run ends have failed, for the reason that made them wait.
    pub(crate) async fn give_up(&mut self) -> Result<(), StoreError> {
        for index in 0..self.accounts.len() {
            if let QueueState::Waits(step) =
                std::mem::replace(&mut self.accounts[index].state, QueueState::Over)
            {
                self.fail(&step).await?;
            }
        }
        Ok(())
    }

    /// What keeps the account from signing in now, with the time at which that ends.
    async fn wait_of(&self, id: &AccountId, step: &DeferredStep) -> Result<Option<Wait>, StoreError> {
        let dependencies = self.run.dependencies;
        let now = dependencies.ports.clock.reading();
        let ends = |cause, left: Duration| Wait {
            account: id.clone(),
            cause,
            until: now.at + TimeDelta::from_std(left).unwrap_or_default(),
            left,
        };
        if let Some(cooldown) = dependencies.cooldowns.of(id).await? {
            // A stop that came meanwhile is no wait: the turn comes, and finds it.
            let left = cooldown.left(&now);
            return Ok(left.map(|left| ends(WaitCause::CoolingDown(cooldown.failure), left)));
        }
        if step.is_for_budget()
            && let Some(account) = dependencies.account(id)
            && let [OtpAllowance::UsedUp { until }] =
                *dependencies.generation.otp_allowances([account]).await?
        {
            let left = (until - now.at).to_std().unwrap_or_default();
            return Ok(Some(ends(WaitCause::OtpBudget, left)));
        }
        Ok(None)
    }

    async fn fail(&self, step: &DeferredStep) -> Result<(), StoreError> {
        let failed = StepState::Failed(step.failure.clone());
        self.run.progress.move_step(&step.api, failed).await
    }
}
