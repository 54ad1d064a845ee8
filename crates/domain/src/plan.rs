//! Which APIs need a sign-in, and why. Pure: statuses in, plan out.

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::Account;
use crate::accounts::ApiSelection;
use crate::clock_check::ClockCheck;
use crate::cooldown::Cooldown;
use crate::expiry;
use crate::failure::{Failure, RecoveryAction};
use crate::ids::{AccountId, ApiName};
use crate::plan_estimate::PlanEstimate;
use crate::planned_api::accounts_of;
use crate::resume::TakenUp;
use crate::token::{ApiStatus, CheckResult, TokenStatus};

pub use crate::planned_api::{ForceReason, PlannedApi, SignInCause};

/// The APIs of one run, in the order of signing in. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    apis: Vec<PlannedApi>,
    stopped: Vec<Cooldown>,
    force: Option<ForceReason>,
    estimate: Option<PlanEstimate>,
    taken_up: Option<TakenUp>,
}

impl Plan {
    /// Of these APIs; `None` when there are none.
    pub fn of(apis: Vec<PlannedApi>) -> Option<Self> {
        (!apis.is_empty()).then_some(Self {
            apis,
            stopped: Vec::new(),
            force: None,
            estimate: None,
            taken_up: None,
        })
    }

    /// The incomplete run that it goes on with, if it does.
    pub fn taken_up(&self) -> Option<&TakenUp> {
        self.taken_up.as_ref()
    }

    /// Goes on with this run: the step that failed last comes first, its account's other APIs after it.
    #[must_use]
    pub fn taking_up(mut self, run: TakenUp) -> Self {
        let first = run.first.as_ref();
        if let Some(first) = self
            .apis
            .iter()
            .find(|planned| Some(&planned.api) == first)
            .cloned()
        {
            self.apis
                .sort_by_key(|planned| (planned.account != first.account, planned.api != first.api));
        }
        self.taken_up = Some(run);
        self
    }

    /// What it will take, if that was estimated.
    pub fn estimate(&self) -> Option<&PlanEstimate> {
        self.estimate.as_ref()
    }

    /// Notes what it will take.
    #[must_use]
    pub fn with_estimate(mut self, estimate: PlanEstimate) -> Self {
        self.estimate = Some(estimate);
        self
    }

    /// In the order of signing in; at least one.
    pub fn apis(&self) -> &[PlannedApi] {
        &self.apis
    }

    /// The accounts in it that are stopped, and why.
    pub fn stopped(&self) -> &[Cooldown] {
        &self.stopped
    }

    /// The APIs in it that need a yes of their own.
    pub fn unresolved(&self) -> impl Iterator<Item = &PlannedApi> {
        self.apis.iter().filter(|planned| planned.unresolved.is_some())
    }

    /// Why the operator overrides rules, if so.
    pub fn force(&self) -> Option<&ForceReason> {
        self.force.as_ref()
    }

    /// Notes which of its accounts are stopped.
    #[must_use]
    pub fn with_stopped(mut self, stopped: impl IntoIterator<Item = Cooldown>) -> Self {
        let accounts = self.accounts();
        let ours = stopped
            .into_iter()
            .filter(|stop| stop.is_stop() && accounts.contains(&&stop.account))
            .collect();
        self.stopped = ours;
        self
    }

    /// What a yes covers that was given before anybody saw the plan: neither stopped accounts nor APIs whose last sign-in is unresolved. `None`
    /// when nothing is left.
    pub fn for_a_standing_yes(mut self) -> Option<Self> {
        let is_stopped =
            |planned: &PlannedApi| self.stopped.iter().any(|stop| stop.account == planned.account);
        self.apis
            .retain(|planned| planned.unresolved.is_none() && !is_stopped(planned));
        self.stopped.clear();
        (!self.apis.is_empty()).then_some(self)
    }

    /// The names of its APIs, for words.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.apis.iter().map(|planned| planned.api.as_str()).collect();
        names.join(", ")
    }

    /// The part of the plan that is about these APIs; `None` when nothing is left.
    pub fn only(mut self, apis: &[ApiName]) -> Option<Self> {
        self.apis.retain(|planned| apis.contains(&planned.api));
        (!self.apis.is_empty()).then_some(self)
    }

    /// The accounts that take part, each once, in order.
    pub fn accounts(&self) -> Vec<&AccountId> {
        accounts_of(&self.apis)
    }
}

/// What the statuses call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every chosen token is valid.
    AllValid,
    /// None is known to be dead, but these could not be checked. Nothing is signed in for.
    OnlyUnknown(Vec<ApiName>),
    /// Upstox answers nobody: that says something about Upstox or the network, and nothing about tokens.
    /// Nothing is signed in for, not even what is dead by time.
    Unreachable(Failure),
    /// These are dead, and no sign-in may begin now.
    NotNow(NotNow),
    /// These are dead; the operator is asked.
    SignIn(Plan),
}

/// Why no sign-in may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// This computer's clock is wrong by so much; nothing overrides that.
    ClockOff(TimeDelta),
    /// It is too near 03:30 IST; the operator may force it.
    ClosedHours {
        /// When sign-ins open again.
        until: DateTime<Utc>,
    },
}

/// Whether sign-ins may begin now.
pub fn not_now(now: DateTime<Utc>, clock: ClockCheck, force: Option<&ForceReason>) -> Option<NotNow> {
    if let ClockCheck::TooFarOff(difference) = clock {
        return Some(NotNow::ClockOff(difference));
    }
    let until = expiry::closed_until(now).filter(|_| force.is_none())?;
    Some(NotNow::ClosedHours { until })
}

/// What asking Upstox just now came to.
#[derive(Debug, Clone)]
pub struct BrokerAnswers<'a> {
    /// The checks of tokens.
    pub checks: &'a [CheckResult],
    /// Why the question for its time was not answered, if it was not.
    pub time_unanswered: Option<Failure>,
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only these APIs.
    pub apis: &'a ApiSelection,
    /// Why rules are overridden, if they are: valid tokens are replaced too, unknown ones never.
    pub force: Option<&'a ForceReason>,
    /// These are signed in for again, whatever became of their last sign-in.
    pub again: &'a [ApiName],
}

/// Decides over the chosen APIs, account by account in the configuration's order.
pub fn decide(
    accounts: &[Account],
    statuses: &[ApiStatus],
    answers: BrokerAnswers<'_>,
    wanted: Wanted<'_>,
) -> Decision {
    let Wanted { force, again, .. } = wanted;
    if let Some(failure) = outage(answers) {
        return Decision::Unreachable(failure);
    }
    let mut apis = Vec::new();
    for account in accounts {
        for api in &account.apis {
            let status = statuses.iter().find(|status| status.api == api.name);
            let Some(status) = status else { continue };
            if let Some(cause) = SignInCause::of(status.status, force) {
                apis.push(PlannedApi {
                    api: api.name.clone(),
                    account: account.id.clone(),
                    cause,
                    replaces: status.generation,
                    unresolved: status
                        .last_failure
                        .clone()
                        .filter(|failure| failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain)
                        .filter(|_| !again.contains(&api.name)),
                    last_failure: status.last_failure.clone(),
                    last_attempt: status.last_attempt,
                });
            }
        }
    }
    if let Some(plan) = Plan::of(apis) {
        let force = force.cloned();
        return Decision::SignIn(Plan { force, ..plan });
    }
    let unknown: Vec<ApiName> = statuses
        .iter()
        .filter(|status| status.status == TokenStatus::Unknown)
        .map(|status| status.api.clone())
        .collect();
    if unknown.is_empty() {
        Decision::AllValid
    } else {
        Decision::OnlyUnknown(unknown)
    }
}

/// Two calls at least that all failed alike, for a cause that lies with Upstox or on the way to it. One token that is
/// answered oddly says nothing of the others.
fn outage(answers: BrokerAnswers<'_>) -> Option<Failure> {
    let unknown = |check: &CheckResult| match check {
        CheckResult::Unknown(reason) => Some(*reason),
        CheckResult::Valid | CheckResult::Invalid | CheckResult::Revoked => None,
    };
    let first = match answers.checks.first() {
        Some(check) => unknown(check)?,
        // Nobody's token could be asked about: the question for the time tells.
        None => return answers.time_unanswered,
    };
    let all_alike = answers.checks.iter().all(|check| unknown(check) == Some(first));
    let is_witnessed = answers.checks.len() > 1 || answers.time_unanswered.is_some();
    if !(all_alike && is_witnessed && first.lies_with_upstox()) {
        return None;
    }
    // The question for the time knows more: a check is kept without its words.
    Some(match answers.time_unanswered {
        Some(same) if same.reason == first => same,
        Some(other) => Failure::new(first, other.to_string()),
        None => Failure::new(first, ""),
    })
}

#[cfg(test)]
mod tests;
