//! States of a run and of its steps, and which move may follow which. The database refuses what this module refuses.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::failure::{Failure, FailureReason};
use crate::ids::{AccountId, ApiName, RunId};
use crate::invalid_value::InvalidValue;

/// The state of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Confirmed by the operator, nothing done yet.
    Planned,
    /// Working through its steps.
    Running,
    /// No account can go on now: cooldown, budget or operator.
    Waiting,
    /// Every step is done.
    Completed,
    /// Ended with open or failed steps; can be resumed until the next 03:30 IST.
    Incomplete,
    /// Ended by the operator.
    Cancelled,
    /// Left over from before the last 03:30 IST.
    Abandoned,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Planned,
        Self::Running,
        Self::Waiting,
        Self::Completed,
        Self::Incomplete,
        Self::Cancelled,
        Self::Abandoned,
    ];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| InvalidValue::new("run state", format!("{word:?} is not known")))
    }

    /// Whether a living process should hold the run.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Planned | Self::Running | Self::Waiting)
    }

    /// Whether the run may move from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Planned => {
                matches!(
                    next,
                    Self::Running | Self::Incomplete | Self::Cancelled | Self::Abandoned
                )
            }
            Self::Running => matches!(
                next,
                Self::Waiting | Self::Completed | Self::Incomplete | Self::Cancelled | Self::Abandoned
            ),
            Self::Waiting => {
                matches!(
                    next,
                    Self::Running | Self::Incomplete | Self::Cancelled | Self::Abandoned
                )
            }
            Self::Incomplete => matches!(next, Self::Running | Self::Abandoned),
            Self::Completed | Self::Cancelled | Self::Abandoned => false,
        }
    }
}

/// Why a step was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// By its turn the token was servable: another process or a verification had settled it.
    AlreadyServable,
    /// By its turn the token was good but in its last minute: neither usable nor dead.
    LastMinute,
    /// By its turn the stored token's state was unknown, and an unknown token never leads to a sign-in.
    Unknown,
    /// By its turn it was too near 03:30 IST.
    ClosedHours,
    /// By its turn its account was stopped, after the plan had been confirmed.
    AccountStopped,
    /// By its turn its account was cooling down, and nobody wanted to wait.
    CoolingDown,
}

impl SkipReason {
    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyServable => "already_servable",
            Self::LastMinute => "last_minute",
            Self::Unknown => "unknown",
            Self::ClosedHours => "closed_hours",
            Self::AccountStopped => "account_stopped",
            Self::CoolingDown => "cooling_down",
        }
    }

    fn parse(word: &str) -> Result<Self, InvalidValue> {
        [
            Self::AlreadyServable,
            Self::LastMinute,
            Self::Unknown,
            Self::ClosedHours,
            Self::AccountStopped,
            Self::CoolingDown,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == word)
        .ok_or_else(|| InvalidValue::new("skip reason", format!("{word:?} is not known")))
    }
}

/// What a run waits for while no account can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The account that can go on first.
    pub account: AccountId,
    /// Why it cannot go on now.
    pub cause: WaitCause,
    /// When it can.
    pub until: DateTime<Utc>,
    /// How long that is from now, for those who have no clock.
    pub left: Duration,
}

/// Why an account cannot go on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitCause {
    /// It cools down after this.
    CoolingDown(Failure),
    /// Its OTP budget is used up.
    OtpBudget,
}

impl WaitCause {
    /// The same in a few words.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::CoolingDown(_) => "cooling down",
            Self::OtpBudget => "waiting for its OTP budget",
        }
    }
}

impl fmt::Display for WaitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoolingDown(failure) => write!(f, "cooling down, because {failure}"),
            Self::OtpBudget => f.write_str(self.summary()),
        }
    }
}

/// The state of one step: one API in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Its turn has not come.
    Pending,
    /// The human is signing in.
    SigningIn,
    /// The code is on its way to the token endpoint.
    Exchanging,
    /// The new token is being checked.
    Verifying,
    /// Stored, verified, published.
    Done,
    /// Ended without a servable token.
    Failed(Failure),
    /// Not taken.
    Skipped(SkipReason),
}

impl StepState {
    /// The word in SQL and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::SigningIn => "signing_in",
            Self::Exchanging => "exchanging",
            Self::Verifying => "verifying",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// The reason's code and the words that came with it, for the states that have one.
    pub fn reason(&self) -> (Option<&'static str>, Option<&str>) {
        match self {
            Self::Failed(failure) => (Some(failure.reason.code()), Some(&failure.detail)),
            Self::Skipped(reason) => (Some(reason.as_str()), None),
            Self::Pending | Self::SigningIn | Self::Exchanging | Self::Verifying | Self::Done => (None, None),
        }
    }

    /// Reads what `as_str` and `reason` wrote.
    pub fn parse(word: &str, reason: Option<&str>, detail: Option<&str>) -> Result<Self, InvalidValue> {
        let reason_code = reason.unwrap_or_default();
        Ok(match word {
            "pending" => Self::Pending,
            "signing_in" => Self::SigningIn,
            "exchanging" => Self::Exchanging,
            "verifying" => Self::Verifying,
            "done" => Self::Done,
            "failed" => Self::Failed(Failure::new(
                FailureReason::parse(reason_code)?,
                detail.unwrap_or_default(),
            )),
            "skipped" => Self::Skipped(SkipReason::parse(reason_code)?),
            other => return Err(InvalidValue::new("step state", format!("{other:?} is not known"))),
        })
    }

    /// Whether a step may move from this state to `next`. A dead process's step is ended by recovery, which may find its
    /// token made; a step that has come to its end begins anew when its run is taken up again. Wherever a step is, Upstox
    /// may throttle it, and its turn comes again with another sign-in: that a code is sent once is its attempt's to keep.
    pub fn may_become(&self, next: &Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::SigningIn | Self::Failed(_) | Self::Skipped(_)),
            Self::SigningIn => matches!(
                next,
                Self::Pending | Self::Exchanging | Self::Done | Self::Failed(_)
            ),
            Self::Exchanging => matches!(
                next,
                Self::Pending | Self::Verifying | Self::Done | Self::Failed(_)
            ),
            Self::Verifying => matches!(next, Self::Pending | Self::Done | Self::Failed(_)),
            Self::Done => matches!(next, Self::Pending),
            Self::Failed(_) | Self::Skipped(_) => matches!(next, Self::Pending | Self::Skipped(_)),
        }
    }

    /// Whether the step's API has its token: made here, or found good when its turn came.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped(SkipReason::AlreadyServable))
    }

    /// Whether the step has come to its end in this run.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Failed(_) | Self::Skipped(_))
    }
}

/// One run with its steps.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// The run.
    pub id: RunId,
    /// Its state.
    pub state: RunState,
    /// When the operator's yes was carried out.
    pub started_at: DateTime<Utc>,
    /// When it ended, if it did.
    pub finished_at: Option<DateTime<Utc>>,
    /// In the order of signing in.
    pub steps: Vec<StepRecord>,
}

/// One API in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// The API.
    pub api: ApiName,
    /// Its account.
    pub account: AccountId,
    /// Where it stands.
    pub state: StepState,
}

impl RunRecord {
    /// How many of its steps have their token.
    pub fn settled(&self) -> usize {
        self.steps.iter().filter(|step| step.state.is_settled()).count()
    }

    /// The state in which a run with these steps ends by itself: completed only with every step done.
    pub fn end_state(steps: &[StepRecord]) -> RunState {
        if steps.iter().all(|step| step.state.is_settled()) {
            RunState::Completed
        } else {
            RunState::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn words_read_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Ok(state));
        }
        let steps = [
            StepState::Pending,
            StepState::SigningIn,
            StepState::Exchanging,
            StepState::Verifying,
            StepState::Done,
            StepState::Failed(Failure::new(FailureReason::Throttled, "words")),
            StepState::Skipped(SkipReason::AlreadyServable),
            StepState::Skipped(SkipReason::LastMinute),
            StepState::Skipped(SkipReason::Unknown),
            StepState::Skipped(SkipReason::ClosedHours),
            StepState::Skipped(SkipReason::AccountStopped),
            StepState::Skipped(SkipReason::CoolingDown),
        ];
        for step in steps {
            let (reason, detail) = step.reason();
            assert_eq!(StepState::parse(step.as_str(), reason, detail), Ok(step.clone()));
        }
        assert!(StepState::parse("failed", None, None).is_err());
        assert!(RunState::parse("tired").is_err());
    }

    #[test]
    fn what_ended_for_good_never_moves_again() {
        for ended in [RunState::Completed, RunState::Cancelled, RunState::Abandoned] {
            assert!(
                RunState::ALL.into_iter().all(|next| !ended.may_become(next)),
                "{ended:?}"
            );
        }
    }

    #[test]
    fn a_steps_end_is_left_only_when_its_run_is_taken_up_again() {
        let failed = || StepState::Failed(Failure::new(FailureReason::Throttled, ""));
        let skipped = || StepState::Skipped(SkipReason::AlreadyServable);
        for ended in [StepState::Done, failed(), skipped()] {
            for next in [
                StepState::SigningIn,
                StepState::Exchanging,
                StepState::Verifying,
                StepState::Done,
            ] {
                assert!(!ended.may_become(&next), "{ended:?} -> {next:?}");
            }
            assert!(ended.may_become(&StepState::Pending), "{ended:?}");
        }
        for under_way in [StepState::SigningIn, StepState::Exchanging, StepState::Verifying] {
            assert!(
                under_way.may_become(&StepState::Pending),
                "wherever Upstox throttles it, its turn comes again"
            );
        }
    }

    #[test]
    fn only_a_running_run_completes() {
        for state in RunState::ALL {
            assert_eq!(
                state.may_become(RunState::Completed),
                state == RunState::Running,
                "{state:?}"
            );
        }
    }

    #[rstest]
    #[case::all_done(&[StepState::Done, StepState::Done], RunState::Completed)]
    #[case::settled_elsewhere(&[StepState::Done, StepState::Skipped(SkipReason::AlreadyServable)], RunState::Completed)]
    #[case::one_pending(&[StepState::Done, StepState::Pending], RunState::Incomplete)]
    #[case::one_unknown(&[StepState::Done, StepState::Skipped(SkipReason::Unknown)], RunState::Incomplete)]
    #[case::closed_hours(&[StepState::Done, StepState::Skipped(SkipReason::ClosedHours)], RunState::Incomplete)]
    #[case::last_minute(&[StepState::Skipped(SkipReason::LastMinute)], RunState::Incomplete)]
    #[case::one_failed(&[StepState::Done, StepState::Failed(Failure { reason: FailureReason::Unverified, detail: String::new() })], RunState::Incomplete)]
    fn never_10_a_run_called_completed_with_a_step_open(#[case] states: &[StepState], #[case] end: RunState) {
        let steps: Vec<StepRecord> = states
            .iter()
            .map(|state| StepRecord {
                api: ApiName::new("PRIMARY").unwrap(),
                account: AccountId::new("default").unwrap(),
                state: state.clone(),
            })
            .collect();
        assert_eq!(RunRecord::end_state(&steps), end);
    }
}
