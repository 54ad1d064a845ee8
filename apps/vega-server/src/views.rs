//! JSON shapes. Objects carry `"v": 1`; fields are only ever added. Times are RFC 3339 with +05:30, with Unix seconds
//! beside those that programs compare. Only `TokenView` holds a secret.

pub(crate) mod codes;
pub(crate) mod prompt_view;
pub(crate) mod run_view;

use std::path::PathBuf;

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::account::Account;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::failure::Failure;
use vega_domain::ids::Generation;
use vega_domain::plan::{Plan, PlannedApi};
use vega_domain::plan_estimate::length_of;
use vega_domain::run::{self, RunRecord, Wait};
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::{ApiStatus, StoredToken};

use crate::views::codes::{FailureReason, SignInCause, StepReason, StepState, TokenStatus};

/// Every API and account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ApisView {
    pub(crate) v: u8,
    pub(crate) apis: Vec<ApiView>,
    pub(crate) accounts: Vec<AccountView>,
}

/// One API; never its token.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ApiView {
    pub(crate) v: u8,
    /// Its name.
    pub(crate) api: String,
    pub(crate) account: String,
    pub(crate) status: TokenStatus,
    /// Whether programs get its token now.
    pub(crate) servable: bool,
    pub(crate) valid_until: Option<String>,
    pub(crate) valid_until_unix: Option<i64>,
    /// Counts the tokens of this API.
    pub(crate) generation: Option<u32>,
    /// When Upstox first confirmed the token.
    pub(crate) verified_at: Option<String>,
    /// When Upstox was last asked about it.
    pub(crate) checked_at: Option<String>,
    pub(crate) checked_at_unix: Option<i64>,
    /// Why Upstox did not say whether it is good when it was last asked, if so.
    pub(crate) check_failure: Option<FailureView>,
    /// Why the last sign-in failed, if no token came since.
    pub(crate) last_failure: Option<LastFailureView>,
}

impl ApiView {
    /// With the file of the evidence of its last failure, if some was kept.
    pub(crate) fn of(status: &ApiStatus, evidence: Option<&PathBuf>) -> Self {
        Self {
            v: 1,
            api: status.api.to_string(),
            account: status.account.to_string(),
            status: status.status.into(),
            servable: status.servable,
            valid_until: status.valid_until.map(rfc3339_ist),
            valid_until_unix: status.valid_until.map(|at| at.timestamp()),
            generation: status.generation.map(Generation::get),
            verified_at: status.verified_at.map(rfc3339_ist),
            checked_at: status.last_check.map(|check| rfc3339_ist(check.at)),
            checked_at_unix: status.last_check.map(|check| check.at.timestamp()),
            check_failure: status.check_failure().map(|failure| FailureView::of(&failure)),
            last_failure: status.last_failure.as_ref().map(|failure| LastFailureView {
                failure: FailureView::of(failure),
                evidence: evidence.map(|record| record.display().to_string()),
            }),
        }
    }
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// The stable name of the cause.
    pub(crate) reason: FailureReason,
    /// The cause in words.
    pub(crate) summary: &'static str,
    /// What was said, by Upstox, say.
    pub(crate) detail: String,
    /// What to do next.
    pub(crate) next: &'static str,
}

impl FailureView {
    pub(crate) fn of(failure: &Failure) -> Self {
        Self {
            reason: FailureReason(failure.reason),
            summary: failure.reason.summary(),
            detail: failure.detail.clone(),
            next: failure.reason.advice(),
        }
    }
}

/// How the last sign-in of an API failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LastFailureView {
    #[serde(flatten)]
    pub(crate) failure: FailureView,
    /// The file on the server's machine with what was kept of it, if something was.
    pub(crate) evidence: Option<String>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct AccountView {
    pub(crate) account: String,
    /// OTPs that may be asked for now.
    pub(crate) otp_presses_left: u32,
    /// OTPs that may be asked for within the window.
    pub(crate) otp_budget: u32,
    /// When a sign-in is possible again, where time alone makes it so.
    pub(crate) retry_at: Option<String>,
    pub(crate) retry_at_unix: Option<i64>,
    /// Why it cools down, if it does.
    pub(crate) cooldown: Option<ClosedView>,
    /// Why it is stopped, if it is; a yes to a plan opens it.
    pub(crate) stop: Option<ClosedView>,
}

/// Why an account is closed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClosedView {
    pub(crate) since: String,
    /// Null for a stop.
    pub(crate) until: Option<String>,
    pub(crate) until_unix: Option<i64>,
    pub(crate) failure: FailureView,
    /// What lifts it, in the console and with `vega`, and what that risks.
    pub(crate) way_out: String,
}

impl ClosedView {
    fn of(closed: &Cooldown, now: &ClockReading) -> Self {
        let until = closed.until(now);
        Self {
            since: rfc3339_ist(closed.since.at),
            until: until.map(rfc3339_ist),
            until_unix: until.map(|at| at.timestamp()),
            failure: FailureView::of(&closed.failure),
            way_out: closed.way_out(),
        }
    }
}

impl AccountView {
    pub(crate) fn of(
        account: &Account,
        closed: Option<&Cooldown>,
        allowance: &OtpAllowance,
        otp_budget: u32,
        now: &ClockReading,
    ) -> Self {
        let (otp_presses_left, budget_until) = match allowance {
            OtpAllowance::Left(left) => (*left, None),
            OtpAllowance::UsedUp { until } => (0, Some(*until)),
        };
        let stop = closed.filter(|closed| closed.is_stop());
        let cooldown = closed.filter(|closed| !closed.is_stop());
        let cooldown_until = cooldown.and_then(|closed| closed.until(now));
        let retry_at = cooldown_until.max(budget_until).filter(|_| stop.is_none());
        Self {
            account: account.id.to_string(),
            otp_presses_left,
            otp_budget,
            retry_at: retry_at.map(rfc3339_ist),
            retry_at_unix: retry_at.map(|at| at.timestamp()),
            cooldown: cooldown.map(|closed| ClosedView::of(closed, now)),
            stop: stop.map(|closed| ClosedView::of(closed, now)),
        }
    }
}

/// A token for a program.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView<'t> {
    v: u8,
    api: &'t str,
    /// The bearer token for Upstox.
    access_token: &'t str,
    generation: u32,
    valid_until: String,
    valid_until_unix: i64,
}

impl<'t> TokenView<'t> {
    pub(crate) fn of(token: &'t StoredToken) -> Self {
        Self {
            v: 1,
            api: token.api.as_str(),
            access_token: token.access_token.expose(),
            generation: token.generation.get(),
            valid_until: rfc3339_ist(token.valid_until),
            valid_until_unix: token.valid_until.timestamp(),
        }
    }
}

/// What is to be signed in for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct PlanView {
    apis: Vec<PlannedView>,
    /// Accounts that the yes opens again.
    stopped: Vec<StoppedView>,
    /// Why rules are overridden, if they are.
    force_reason: Option<String>,
    /// The incomplete run that it goes on with, if it does.
    goes_on_with: Option<TakenUpView>,
    /// OTPs if each session spares them after its first.
    otp_presses_at_least: Option<u32>,
    /// OTPs if no session spares any.
    otp_presses_at_most: Option<u32>,
    /// OTPs that may be asked for now.
    otp_presses_left: Option<u32>,
    /// When everything should be done if it begins as soon as it was planned; an estimate.
    finish: Option<String>,
    finish_unix: Option<i64>,
    /// How many seconds that is from its begin.
    pub(crate) takes_seconds: Option<i64>,
    /// When a part of it can begin at the earliest, if not all can begin now.
    waits_until: Option<String>,
    waits_until_unix: Option<i64>,
    /// How many APIs belong to accounts that cannot begin now.
    apis_later: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct PlannedView {
    api: String,
    account: String,
    cause: SignInCause,
    /// Why it needs a yes of its own: its last sign-in may have spent an OTP or made a token that nobody has.
    unresolved: Option<FailureView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct StoppedView {
    account: String,
    since: String,
    failure: FailureView,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct TakenUpView {
    run: String,
    started_at: String,
    /// How many of its steps have their token.
    settled: usize,
    of: usize,
}

impl PlanView {
    pub(crate) fn of(plan: &Plan) -> Self {
        let estimate = plan.estimate();
        Self {
            apis: plan.apis().iter().map(PlannedView::of).collect(),
            stopped: plan
                .stopped()
                .iter()
                .map(|stop| StoppedView {
                    account: stop.account.to_string(),
                    since: rfc3339_ist(stop.since.at),
                    failure: FailureView::of(&stop.failure),
                })
                .collect(),
            force_reason: plan.force().map(ToString::to_string),
            goes_on_with: plan.taken_up().map(|run| TakenUpView {
                run: run.run.to_string(),
                started_at: rfc3339_ist(run.started_at),
                settled: run.settled,
                of: run.of,
            }),
            otp_presses_at_least: estimate.map(|estimate| estimate.presses_at_least),
            otp_presses_at_most: estimate.map(|estimate| estimate.presses_at_most),
            otp_presses_left: estimate.map(|estimate| estimate.presses_left),
            finish: estimate.map(|estimate| rfc3339_ist(estimate.finish)),
            finish_unix: estimate.map(|estimate| estimate.finish.timestamp()),
            takes_seconds: estimate.map(|estimate| estimate.takes.num_seconds()),
            waits_until: estimate
                .and_then(|estimate| estimate.waits_until)
                .map(rfc3339_ist),
            waits_until_unix: estimate
                .and_then(|estimate| estimate.waits_until)
                .map(|at| at.timestamp()),
            apis_later: estimate.map(|estimate| estimate.apis_later),
        }
    }
}

impl PlannedView {
    fn of(planned: &PlannedApi) -> Self {
        Self {
            api: planned.api.to_string(),
            account: planned.account.to_string(),
            cause: planned.cause.into(),
            unresolved: planned.unresolved.as_ref().map(FailureView::of),
        }
    }
}

/// One step of a run: one API.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StepView {
    pub(crate) api: String,
    account: String,
    pub(crate) state: StepState,
    /// Why it failed or was skipped.
    pub(crate) reason: Option<StepReason>,
    /// The cause in words, where it failed.
    pub(crate) summary: Option<&'static str>,
    pub(crate) detail: Option<String>,
    /// What to do next, where it failed.
    pub(crate) next: Option<&'static str>,
}

impl StepView {
    pub(crate) fn all_of(run: &RunRecord) -> Vec<Self> {
        let steps = run.steps.iter().map(|step| {
            let mut view = Self {
                api: step.api.to_string(),
                account: step.account.to_string(),
                state: StepState::Pending,
                reason: None,
                summary: None,
                detail: None,
                next: None,
            };
            view.move_to(&step.state);
            view
        });
        steps.collect()
    }

    pub(crate) fn move_to(&mut self, state: &run::StepState) {
        let (_, detail) = state.reason();
        self.state = state.into();
        self.reason = StepReason::of(state);
        self.detail = detail.map(str::to_owned);
        (self.summary, self.next) = match state {
            run::StepState::Failed(failure) => {
                (Some(failure.reason.summary()), Some(failure.reason.advice()))
            }
            _ => (None, None),
        };
    }
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct WaitView {
    account: String,
    /// Why, in words.
    why: String,
    until: String,
    until_unix: i64,
    /// When everything should be done; an estimate.
    finish: String,
    finish_unix: i64,
}

impl WaitView {
    /// `left`: how many APIs of the run were not signed in for yet.
    pub(crate) fn of(wait: &Wait, left: u32) -> Self {
        let finish = wait.until + length_of(left);
        Self {
            finish: rfc3339_ist(finish),
            finish_unix: finish.timestamp(),
            account: wait.account.to_string(),
            why: wait.cause.to_string(),
            until: rfc3339_ist(wait.until),
            until_unix: wait.until.timestamp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::AccountId;
    use vega_domain::run::WaitCause;

    use super::*;

    #[test]
    fn a_wait_says_when_the_rest_should_be_done() {
        let until = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let wait = Wait {
            account: AccountId::new("default").unwrap(),
            cause: WaitCause::CoolingDown(Failure::new(FailureReason::Throttled, "Try later.")),
            until,
            left: Duration::from_mins(11),
        };
        let view = WaitView::of(&wait, 2);
        assert_eq!(view.until_unix, 1_790_000_000);
        assert_eq!(view.finish_unix, 1_790_000_055);
        assert_eq!(view.finish, rfc3339_ist(until + TimeDelta::seconds(55)));
    }

    #[test]
    fn a_failed_step_says_why_in_words_and_one_that_goes_on_forgets_it() {
        let mut step = StepView {
            api: "PRIMARY".into(),
            account: "default".into(),
            state: StepState::Pending,
            reason: None,
            summary: None,
            detail: None,
            next: None,
        };
        step.move_to(&run::StepState::Failed(Failure::new(
            FailureReason::PinRefused,
            "No.",
        )));
        assert_eq!(step.summary, Some(FailureReason::PinRefused.summary()));
        assert_eq!(step.next, Some(FailureReason::PinRefused.advice()));
        step.move_to(&run::StepState::Pending);
        assert_eq!((step.summary, step.next), (None, None));
    }
}
