//! How a plan looks, with what it will take.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::plan::{Plan, PlannedApi};

use crate::codes::SignInCause;
use crate::failures::FailureView;

/// What is to be signed in for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PlanView {
    pub apis: Vec<PlannedView>,
    /// Accounts that the yes opens again.
    pub stopped: Vec<StoppedView>,
    /// Why rules are overridden, if they are.
    pub force_reason: Option<String>,
    /// The incomplete run that it goes on with, if it does.
    pub goes_on_with: Option<TakenUpView>,
    /// OTPs if each session spares them after its first.
    pub otp_presses_at_least: Option<u32>,
    /// OTPs if no session spares any.
    pub otp_presses_at_most: Option<u32>,
    /// OTPs that may be asked for now.
    pub otp_presses_left: Option<u32>,
    /// When everything should be done if it begins as soon as it was planned; an estimate.
    pub finish: Option<String>,
    pub finish_unix: Option<i64>,
    /// How many seconds that is from its begin.
    pub takes_seconds: Option<i64>,
    /// When a part of it can begin at the earliest, if not all can begin now.
    pub waits_until: Option<String>,
    pub waits_until_unix: Option<i64>,
    /// How many APIs belong to accounts that cannot begin now.
    pub apis_later: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PlannedView {
    pub api: String,
    pub account: String,
    pub cause: SignInCause,
    /// Why it needs a yes of its own: its last sign-in may have spent an OTP or made a token that nobody has.
    pub unresolved: Option<FailureView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StoppedView {
    pub account: String,
    pub since: String,
    pub failure: FailureView,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TakenUpView {
    pub run: String,
    pub started_at: String,
    /// How many of its steps have their token.
    pub settled: usize,
    pub of: usize,
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        let estimate = plan.estimate();
        Self {
            apis: plan.apis().iter().map(PlannedView::from).collect(),
            stopped: plan
                .stopped()
                .iter()
                .map(|stop| StoppedView {
                    account: stop.account.to_string(),
                    since: rfc3339_ist(stop.since.at),
                    failure: FailureView::from(&stop.failure),
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

impl From<&PlannedApi> for PlannedView {
    fn from(planned: &PlannedApi) -> Self {
        Self {
            api: planned.api.to_string(),
            account: planned.account.to_string(),
            cause: planned.cause.into(),
            unresolved: planned.unresolved.as_ref().map(FailureView::from),
        }
    }
}
