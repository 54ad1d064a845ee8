//! How a run looks, whether this process or another carries it out, with its steps and what it waits for. Whoever
//! carries it out adds what only it knows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::plan_estimate::length_of;
use vega_domain::run::{self, RunRecord, Wait};

use crate::codes::{OutcomeCode, RunState, StepReason, StepState};
use crate::plans::PlanView;

/// What to sign in for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunBody {
    /// Only these APIs; all that are dead if left out or empty.
    #[serde(default)]
    pub apis: Vec<String>,
    /// Replaces valid tokens too, and begins near 03:30 IST; it needs a reason.
    #[serde(default)]
    pub force: bool,
    /// Why it is forced, in one line; goes on record.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: Option<String>,
    /// Signs in for these again, whatever became of their last sign-in.
    #[serde(default)]
    pub again: Vec<String>,
    /// Whether to wait for cooldowns and the OTP budget; true if left out.
    pub wait: Option<bool>,
}

/// What to ask Upstox about.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationBody {
    /// Only these APIs; all if left out or empty.
    #[serde(default)]
    pub apis: Vec<String>,
}

/// A run as it is shown: one that was asked for here, or one of another process.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunView {
    pub v: u8,
    /// What to ask for it by.
    pub id: String,
    pub state: RunState,
    /// Whether it can still be cancelled.
    pub under_way: bool,
    /// Whether another process carries it out.
    pub elsewhere: bool,
    /// Where a console is that asks its questions, scheme, host and port, if that is another server that others reach.
    pub asks_at: Option<String>,
    pub asked_at: Option<String>,
    pub asked_by: Option<String>,
    pub plan: Option<PlanView>,
    /// The run in the database and the audit trail.
    pub run: Option<String>,
    pub started_at: Option<String>,
    pub started_at_unix: Option<i64>,
    pub finished_at: Option<String>,
    /// When everything should be done; an estimate, from what the plan takes and when it began.
    pub finish: Option<String>,
    pub finish_unix: Option<i64>,
    pub steps: Vec<StepView>,
    pub wait: Option<WaitView>,
    /// What the human should know of it, the newest last; the last few.
    pub notices: Vec<NoticeView>,
    /// Why nothing was begun, or why it broke off.
    pub outcome: Option<Outcome>,
}

/// Something that the human should know of a run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NoticeView {
    pub api: String,
    pub at: String,
    pub at_unix: i64,
    /// What it is, and what to do.
    pub words: String,
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AcceptedView {
    /// Whether one was under way and this call joined it: what it asked for was not started.
    pub joined: bool,
    #[serde(flatten)]
    pub run: RunView,
}

/// Why nothing was begun, or why a run broke off.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    pub code: OutcomeCode,
    /// What happened, why, and what to do next.
    pub detail: String,
}

impl RunView {
    /// A run that nobody asked this process for.
    pub fn stored(record: &RunRecord) -> Self {
        Self {
            elsewhere: record.state.is_active(),
            ..Self::stored_or_none(Some(record))
        }
    }

    /// A run that nobody carries out any more, and whose end is not on record yet.
    pub fn cut_off(record: &RunRecord) -> Self {
        Self {
            under_way: false,
            ..Self::stored_or_none(Some(record))
        }
    }

    /// The same but for its steps, which are told of one by one.
    #[must_use]
    pub fn without_steps(&self) -> Self {
        Self {
            steps: Vec::new(),
            ..self.clone()
        }
    }

    pub fn stored_or_none(record: Option<&RunRecord>) -> Self {
        Self {
            v: 1,
            id: record.map(|record| record.id.to_string()).unwrap_or_default(),
            state: record.map_or(RunState::Planned, |record| record.state.into()),
            under_way: record.is_some_and(|record| record.state.is_active()),
            elsewhere: false,
            asks_at: None,
            asked_at: None,
            asked_by: None,
            plan: None,
            run: record.map(|record| record.id.to_string()),
            started_at: record.map(|record| rfc3339_ist(record.started_at)),
            started_at_unix: record.map(|record| record.started_at.timestamp()),
            finish: None,
            finish_unix: None,
            notices: Vec::new(),
            finished_at: record.and_then(|record| record.finished_at).map(rfc3339_ist),
            steps: record.map(StepView::all_of).unwrap_or_default(),
            wait: None,
            outcome: None,
        }
    }
}

/// One step of a run: one API.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StepView {
    pub api: String,
    pub account: String,
    pub state: StepState,
    /// Why it failed or was skipped.
    pub reason: Option<StepReason>,
    /// The cause in words, where it failed.
    pub summary: Option<&'static str>,
    pub detail: Option<String>,
    /// What to do next, where it failed.
    pub next: Option<&'static str>,
}

impl StepView {
    pub fn all_of(run: &RunRecord) -> Vec<Self> {
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

    pub fn move_to(&mut self, state: &run::StepState) {
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
pub struct WaitView {
    pub account: String,
    /// Why, in words.
    pub why: String,
    pub until: String,
    pub until_unix: i64,
    /// When everything should be done; an estimate.
    pub finish: String,
    pub finish_unix: i64,
}

impl WaitView {
    /// `left`: how many APIs of the run were not signed in for yet.
    pub fn of(wait: &Wait, left: u32) -> Self {
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
