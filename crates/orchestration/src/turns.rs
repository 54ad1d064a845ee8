//! Whose turn it is in a run, and what the run waits for when it is nobody's: an account that cools down or has used up
//! its OTP budget comes again later, and the others go on meanwhile.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vega_domain::failure::{Failure, Next};
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, StoreError};
use vega_domain::run::{StepState, Wait};

use crate::resume_orchestrator::ResumeOrchestrator;
use crate::run_progress::RunProgress;

/// How often a run looks what other processes want of it, and a wait whether it is over: the clock may be set, too.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An account that was throttled so often in one run does not come again in it.
const COOLDOWNS_PER_RUN: u32 = 3;

/// Whether a run waits for accounts that cannot go on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitPolicy {
    /// It waits, and goes on by itself where the operator's yes still counts.
    Wait,
    /// It ends without them.
    NoWait,
}

/// Why an account comes again later.
#[derive(Debug, Clone)]
pub(crate) struct Later {
    /// The step at which it ended.
    api: ApiName,
    failure: Failure,
}

impl Later {
    pub(crate) fn is_for_budget(&self) -> bool {
        self.failure.reason.next() == Next::WaitForBudget
    }

    /// Nobody was at the desk: the yes to the plan does not count any more.
    fn needs_a_yes(&self) -> bool {
        self.failure.reason.next() == Next::CoolDownThenAsk
    }
}

/// What may become of an account whose sign-in cannot go on now.
pub(crate) struct Leeway {
    may_wait: bool,
    may_cool_down: bool,
    somebody_is_there: bool,
}

impl Leeway {
    /// Whether the account comes again later in this run.
    pub(crate) fn later(&self, api: &ApiName, failure: &Failure) -> Option<Later> {
        let comes_again = match failure.reason.next() {
            Next::CoolDown => self.may_cool_down,
            Next::CoolDownThenAsk => self.may_cool_down && self.somebody_is_there,
            Next::WaitForBudget => true,
            _ => false,
        };
        (self.may_wait && comes_again).then(|| Later {
            api: api.clone(),
            failure: failure.clone(),
        })
    }
}

/// What a look at the waiting accounts found.
enum Found {
    /// None waits.
    Nobody,
    /// One waits no more.
    Opened,
    /// All wait, this one for the shortest time.
    AllWait(Wait),
}

enum Stands {
    Ready,
    Waits(Later),
    Over,
}

struct Turn<'p> {
    account: &'p AccountId,
    stands: Stands,
    cooldowns: u32,
}

/// The accounts of one run.
pub(crate) struct Turns<'r, 'p> {
    runs: &'r ResumeOrchestrator,
    progress: &'r RunProgress<'r>,
    plan: &'p Plan,
    cancel: &'r CancellationToken,
    accounts: Vec<Turn<'p>>,
    run_waits: bool,
}

impl<'r, 'p> Turns<'r, 'p> {
    pub(crate) fn new(
        runs: &'r ResumeOrchestrator,
        progress: &'r RunProgress<'r>,
        plan: &'p Plan,
        cancel: &'r CancellationToken,
    ) -> Self {
        let ready = |account| Turn {
            account,
            stands: Stands::Ready,
            cooldowns: 0,
        };
        Self {
            runs,
            progress,
            plan,
            cancel,
            accounts: plan.accounts().into_iter().map(ready).collect(),
            run_waits: false,
        }
    }

    /// What may become of `account` if it cannot go on.
    pub(crate) fn leeway(&self, account: &AccountId, wait_policy: WaitPolicy) -> Leeway {
        let mut turns = self.accounts.iter();
        let turn = turns.find(|turn| turn.account == account);
        Leeway {
            may_wait: wait_policy == WaitPolicy::Wait,
            may_cool_down: turn.is_some_and(|turn| turn.cooldowns < COOLDOWNS_PER_RUN),
            somebody_is_there: self.runs.operator().is_there(),
        }
    }

    /// This account comes again.
    pub(crate) fn later(&mut self, account: &AccountId, later: Later) {
        if let Some(turn) = self.accounts.iter_mut().find(|turn| turn.account == account) {
            turn.cooldowns += u32::from(!later.is_for_budget());
            turn.stands = Stands::Waits(later);
        }
    }

    /// The account whose turn it is, after a wait if nobody can go on. None when all are through or the run was cancelled.
    pub(crate) async fn next(&mut self) -> Result<Option<&'p AccountId>, StoreError> {
        loop {
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            let ready = self
                .accounts
                .iter_mut()
                .find(|turn| matches!(turn.stands, Stands::Ready));
            if let Some(turn) = ready {
                turn.stands = Stands::Over;
                let account = turn.account;
                if std::mem::take(&mut self.run_waits) {
                    self.progress.go_on().await?;
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
            let Stands::Waits(later) = &self.accounts[index].stands else {
                continue;
            };
            let account = self.accounts[index].account;
            if let Some(wait) = self.runs.wait_of(account, later).await? {
                if first.as_ref().is_none_or(|first| wait.left < first.left) {
                    first = Some(wait);
                }
                continue;
            }
            let later = later.clone();
            if !later.needs_a_yes() || self.says_yes_again(account).await {
                self.accounts[index].stands = Stands::Ready;
            } else {
                self.accounts[index].stands = Stands::Over;
                self.fail(&later).await?;
            }
            return Ok(Found::Opened);
        }
        Ok(first.map_or(Found::Nobody, Found::AllWait))
    }

    /// Asks whether to sign in for the rest of the account.
    async fn says_yes_again(&self, account: &AccountId) -> bool {
        let planned = self.plan.apis().iter();
        let rest: Vec<ApiName> = planned
            .filter(|planned| planned.account == *account && self.progress.is_pending(&planned.api))
            .map(|planned| planned.api.clone())
            .collect();
        let Some(rest) = self.plan.clone().only(&rest) else {
            return false;
        };
        let answer = tokio::select! {
            // In this order, as everywhere here: what happens does not depend on chance.
            biased;
            answer = self.runs.operator().confirm_again(&rest) => answer,
            () = self.cancel.cancelled() => Answer::NobodyToAsk,
        };
        self.runs.note_answer(&rest, answer).await.is_ok() && answer == Answer::Yes
    }

    /// Until the first wait is over, or may be: somebody may end it in another process.
    async fn wait(&mut self, first: &Wait) -> Result<(), StoreError> {
        if !std::mem::replace(&mut self.run_waits, true) {
            self.progress.wait(first).await?;
        }
        let operator = self.runs.operator();
        let mut shown = operator.show_wait(first);
        let mut now = first.clone();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Ok(()),
                () = &mut shown => {}
                () = sleep(now.left.min(LOOK_EVERY)) => {}
            }
            for turn in &self.accounts {
                let Stands::Waits(later) = &turn.stands else {
                    continue;
                };
                match self.runs.wait_of(turn.account, later).await? {
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
            if let Stands::Waits(later) = std::mem::replace(&mut self.accounts[index].stands, Stands::Over) {
                self.fail(&later).await?;
            }
        }
        Ok(())
    }

    async fn fail(&self, later: &Later) -> Result<(), StoreError> {
        let failed = StepState::Failed(later.failure.clone());
        self.progress.move_step(&later.api, failed).await
    }
}
