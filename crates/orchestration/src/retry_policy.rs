//! Whether an account that cannot go on comes again later in the same run. Decides by the failure, by how often the account
//! was deferred, and by what the operator wants; `account_scheduler` decides when.

use vega_domain::failure::{Failure, RecoveryAction};
use vega_domain::ids::ApiName;

/// An account that was throttled so often in one run does not come again in it.
pub(crate) const COOLDOWNS_PER_RUN: u32 = 3;

/// Whether a run waits for accounts that cannot go on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitPolicy {
    /// It waits, and goes on by itself where the operator's yes still counts.
    Wait,
    /// It ends without them.
    NoWait,
}

/// A step that is taken up again later in the run, and why.
#[derive(Debug, Clone)]
pub(crate) struct DeferredStep {
    pub(crate) api: ApiName,
    pub(crate) failure: Failure,
}

impl DeferredStep {
    pub(crate) fn is_for_budget(&self) -> bool {
        self.failure.reason.recovery_action() == RecoveryAction::WaitForBudget
    }

    /// Nobody was at the desk: the yes to the plan does not count any more.
    pub(crate) fn needs_a_yes(&self) -> bool {
        self.failure.reason.recovery_action() == RecoveryAction::CoolDownThenAsk
    }
}

/// What may become of an account whose sign-in cannot go on now.
pub(crate) struct RetryPolicy {
    pub(crate) wait_policy: WaitPolicy,
    /// How often the account cooled down in this run.
    pub(crate) cooldowns: u32,
    /// Whether an operator could say yes again.
    pub(crate) somebody_is_there: bool,
}

impl RetryPolicy {
    /// The step that comes again later in this run, if it does.
    pub(crate) fn defer(&self, api: &ApiName, failure: &Failure) -> Option<DeferredStep> {
        let may_cool_down = self.cooldowns < COOLDOWNS_PER_RUN;
        let comes_again = match failure.reason.recovery_action() {
            RecoveryAction::CoolDown => may_cool_down,
            RecoveryAction::CoolDownThenAsk => may_cool_down && self.somebody_is_there,
            RecoveryAction::WaitForBudget => true,
            _ => false,
        };
        (self.wait_policy == WaitPolicy::Wait && comes_again).then(|| DeferredStep {
            api: api.clone(),
            failure: failure.clone(),
        })
    }
}
