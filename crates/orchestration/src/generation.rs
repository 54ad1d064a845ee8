//! The use case behind `vega`, the server's runs and the console's button: verify, plan, preflight, confirm, run. Decides
//! what it comes to; a front end says what is wanted, answers, and shows the outcome.

use std::sync::Arc;

use tokio::pin;
use tokio_util::sync::CancellationToken;
use vega_domain::accounts::ApiSelection;
use vega_domain::clock_check::ClockCheck;
use vega_domain::expiry::in_ist;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::outcome_code::OutcomeCode;
use vega_domain::plan::{Decision, ForceReason, NotNow, Plan, Wanted};
use vega_domain::ports::Approver;
use vega_domain::run::RunRecord;

use crate::async_token_orchestrator::{AsyncTokenOrchestrator, Confirmation, Verification};
use crate::preflight::{Preflight, PreflightError};
use crate::retry_policy::WaitPolicy;
use crate::run_error::RunError;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct GenerationRequest {
    /// Only these APIs.
    pub apis: ApiSelection,
    /// Why rules are overridden, if they are: valid tokens are replaced too, unknown ones never.
    pub force: Option<ForceReason>,
    /// These are signed in for again, whatever became of their last sign-in.
    pub again: Vec<ApiName>,
    /// Whether a run waits for accounts that cannot go on.
    pub wait_policy: WaitPolicy,
}

impl GenerationRequest {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            apis: &self.apis,
            force: self.force.as_ref(),
            again: &self.again,
        }
    }
}

/// What a front end is told on the way.
pub enum Stage<'a> {
    /// Upstox was asked about the tokens.
    Verified(&'a Verification),
    /// The operator is asked about this plan.
    Confirming(&'a Plan),
    /// The plan, or what the answer covers of it, is carried out from now on.
    Running,
}

/// What a request came to.
#[derive(Debug)]
pub enum Outcome {
    /// Every chosen token is valid.
    AllValid,
    /// None is known to be dead, but these could not be checked.
    OnlyUnknown(Vec<ApiName>),
    /// Upstox answers nobody, which says nothing about tokens.
    Unreachable(Failure),
    /// Some are dead, and no sign-in may begin now.
    NotNow(NotNow),
    /// Something that a sign-in needs is not there.
    NotReady(PreflightError),
    /// The operator said no to the plan.
    Declined,
    /// Nobody could be asked about this plan, of which a yes given before would cover something.
    Unconfirmed(Plan),
    /// All of this plan needs a yes of its own, and the one that there was had been given before.
    NotCovered(Plan),
    /// It was cancelled before a run began.
    Cancelled,
    /// A run was begun and is over.
    Ran(Box<FinishedRun>),
    /// Stored state failed on the way, or another process signs in; a run that had begun can be taken up.
    Failed(Arc<RunError>),
}

/// A run that is over.
#[derive(Debug)]
pub struct FinishedRun {
    /// How it ended.
    pub run: RunRecord,
    /// What was carried out.
    pub plan: Plan,
    /// What was planned.
    pub whole: Plan,
}

impl Outcome {
    /// Its stable name, where no run tells it.
    pub fn code(&self) -> Option<OutcomeCode> {
        Some(match self {
            Self::Ran(_) => return None,
            Self::AllValid => OutcomeCode::AllValid,
            Self::OnlyUnknown(_) => OutcomeCode::OnlyUnknown,
            Self::Unreachable(_) => OutcomeCode::Unreachable,
            Self::NotNow(NotNow::ClockOff(_)) => OutcomeCode::ClockOff,
            Self::NotNow(NotNow::ClosedHours { .. }) => OutcomeCode::ClosedHours,
            Self::NotReady(PreflightError::Held(_)) => OutcomeCode::HeldElsewhere,
            Self::NotReady(PreflightError::NobodyCanBegin { .. }) => OutcomeCode::NobodyCanBegin,
            Self::NotReady(PreflightError::Commit(_)) => OutcomeCode::Storage,
            Self::NotReady(_) => OutcomeCode::PreflightFailed,
            Self::Declined => OutcomeCode::Declined,
            Self::Unconfirmed(_) | Self::NotCovered(_) => OutcomeCode::Unanswered,
            Self::Cancelled => OutcomeCode::Cancelled,
            Self::Failed(error) if error.is_elsewhere() => OutcomeCode::HeldElsewhere,
            Self::Failed(_) => OutcomeCode::Storage,
        })
    }

    /// What happened, why, and what to do next, where no run tells it.
    pub fn words(&self) -> String {
        match self {
            Self::AllValid => "All tokens are valid; no sign-in is needed.".into(),
            Self::OnlyUnknown(apis) => {
                let names: Vec<&str> = apis.iter().map(ApiName::as_str).collect();
                let names = names.join(", ");
                format!(
                    "Upstox did not say whether {names} can be used. No sign-in was made: these tokens may well be good."
                )
            }
            Self::Unreachable(failure) => unreachable_words(failure),
            Self::NotNow(NotNow::ClockOff(difference)) => {
                let clock = ClockCheck::TooFarOff(*difference).words().unwrap_or_default();
                format!("Nothing is signed in for: {clock}, then generate again.")
            }
            Self::NotNow(NotNow::ClosedHours { until }) => format!(
                "A token made now would expire at 03:30 IST, so sign-ins are closed until {} IST. Generate then, or force it \
                 with a reason.",
                in_ist(*until).format("%H:%M")
            ),
            Self::NotReady(error) => error.to_string(),
            Self::Declined => "The plan was declined; nothing was done.".into(),
            Self::Unconfirmed(_) => "Nobody said yes to the plan, so nothing was done.".into(),
            Self::NotCovered(whole) => not_covered_words(whole),
            Self::Cancelled => "It was cancelled before anything began.".into(),
            Self::Ran(_) => String::new(),
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// What it means that Upstox answers nobody.
pub fn unreachable_words(failure: &Failure) -> String {
    use FailureReason as R;
    let what = match failure.reason {
        R::Throttled => "Upstox throttled the calls",
        R::Blocked => "Upstox's protection refuses calls from this computer",
        other => other.summary(),
    };
    let detail = if failure.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", failure.detail)
    };
    let next = match failure.reason {
        R::Throttled | R::Blocked | R::BrokerDown | R::Network | R::ServiceHours => {
            "Wait a little, see whether upstox.com works from here, then try again."
        }
        other => other.advice(),
    };
    format!(
        "Upstox is unreachable: {what}{detail}. This says nothing about the tokens, so no sign-in was made. {next}"
    )
}

/// Why a yes that was given before does not do.
fn not_covered_words(plan: &Plan) -> String {
    if plan.stopped().is_empty() {
        let names: Vec<&str> = plan.unresolved().map(|planned| planned.api.as_str()).collect();
        return format!(
            "the last sign-in for {0} may have spent an OTP or made a token that nobody has, so another one needs your \
             yes. Run `vega` in a terminal without --yes, read why, and say yes; or add --again {1}",
            names.join(", "),
            names.join(" --again ")
        );
    }
    "every account that needs a sign-in is stopped, and only your yes at a terminal opens one. \
     Run `vega` in a terminal without --yes, read why, and say yes"
        .into()
}

impl AsyncTokenOrchestrator {
    /// Verifies, plans, looks whether the plan can be carried out, asks `operator`, and runs what the answer covers. Ends when
    /// the run does. Verification is never dropped half-way: it may be finishing what a dead process left.
    pub async fn generate(
        &self,
        request: &GenerationRequest,
        approver: &dyn Approver,
        cancel: &CancellationToken,
        enter: &(dyn Fn(Stage<'_>) + Send + Sync),
    ) -> Outcome {
        let through = self.through(request, approver, cancel, enter).await;
        through.unwrap_or_else(|error| Outcome::Failed(Arc::new(error)))
    }

    async fn through(
        &self,
        request: &GenerationRequest,
        approver: &dyn Approver,
        cancel: &CancellationToken,
        enter: &(dyn Fn(Stage<'_>) + Send + Sync),
    ) -> Result<Outcome, RunError> {
        let verified = self.verify(request.wanted()).await?;
        enter(Stage::Verified(&verified));
        if cancel.is_cancelled() {
            return Ok(Outcome::Cancelled);
        }
        let whole = match verified.decision {
            Decision::SignIn(plan) => plan,
            Decision::AllValid => return Ok(Outcome::AllValid),
            Decision::OnlyUnknown(apis) => return Ok(Outcome::OnlyUnknown(apis)),
            Decision::Unreachable(failure) => return Ok(Outcome::Unreachable(failure)),
            Decision::NotNow(not_now) => return Ok(Outcome::NotNow(not_now)),
        };
        let preflight = Preflight {
            accounts: self.accounts(),
            ports: self.ports(),
        };
        if let Err(error) = preflight.check(&whole, request.wait_policy).await {
            return Ok(Outcome::NotReady(error));
        }
        enter(Stage::Confirming(&whole));
        let confirmed = tokio::select! {
            confirmed = self.confirm(whole.clone(), approver) => confirmed?,
            () = cancel.cancelled() => return Ok(Outcome::Cancelled),
        };
        let plan = match confirmed {
            Confirmation::Start(plan) => *plan,
            Confirmation::Declined => return Ok(Outcome::Declined),
            Confirmation::NothingCovered => return Ok(Outcome::NotCovered(whole)),
            Confirmation::NobodyToAsk if whole.clone().for_a_standing_yes().is_none() => {
                return Ok(Outcome::NotCovered(whole));
            }
            Confirmation::NobodyToAsk => return Ok(Outcome::Unconfirmed(whole)),
        };
        enter(Stage::Running);
        let handle = self.start(plan.clone(), request.wait_policy);
        let ended = handle.outcome();
        pin!(ended);
        let ended = tokio::select! {
            ended = &mut ended => ended,
            () = cancel.cancelled() => {
                handle.cancel();
                ended.await
            }
        };
        Ok(match ended {
            Ok(run) => Outcome::Ran(Box::new(FinishedRun { run, plan, whole })),
            Err(error) => Outcome::Failed(error),
        })
    }
}
