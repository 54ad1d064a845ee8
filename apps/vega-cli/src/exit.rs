//! Exit codes: fixed, documented, and chosen by consequence.

#[cfg(test)]
mod failure_tables;

use std::process::ExitCode;

use vega_domain::failure::FailureReason;
use vega_domain::plan::{NotNow, Plan, PlannedApi};
use vega_domain::run::{RunRecord, StepRecord, StepState};
use vega_domain::token::{ApiStatus, TokenStatus};
use vega_orchestration::{Outcome, PreflightError, RunError};

/// What the program ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    Unexpected = 1,
    Usage = 2,
    HumanNeeded = 3,
    CoolDown = 4,
    Unreachable = 5,
    SecondFactorTimeout = 6,
    AccountStopped = 7,
    PageOrChallenge = 8,
    Preflight = 9,
    NotAllowed = 11,
    Partial = 12,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The first of these that occurred is the answer.
const PRECEDENCE: [Exit; 10] = [
    Exit::Usage,
    Exit::Preflight,
    Exit::AccountStopped,
    Exit::PageOrChallenge,
    Exit::SecondFactorTimeout,
    Exit::CoolDown,
    Exit::Unreachable,
    Exit::NotAllowed,
    Exit::Partial,
    Exit::HumanNeeded,
];

/// What one failed step means for the exit code.
fn of_reason(reason: FailureReason) -> Exit {
    use FailureReason as R;
    match reason {
        R::Throttled | R::OtpBudget => Exit::CoolDown,
        R::OtpTimeout | R::PinTimeout | R::RedirectTimeout => Exit::SecondFactorTimeout,
        R::MobileRejected
        | R::OtpRefused
        | R::PinRefused
        | R::AccountLocked
        | R::AccountDormant
        | R::WrongUser => Exit::AccountStopped,
        R::Challenge | R::PageChanged | R::Blocked => Exit::PageOrChallenge,
        R::NameUnresolved
        | R::Proxy
        | R::UntrustedIssuer
        | R::CertificateTime
        | R::CertificateName
        | R::ForeignAnswer
        | R::BrokerDown
        | R::Network
        | R::OutcomeUnknown
        | R::NeedsReview
        | R::Unverified
        | R::ServiceHours
        | R::UnclearRefusal
        | R::AnswersDisagree => Exit::Unreachable,
        R::Storage
        | R::StorageBusy
        | R::StorageFull
        | R::StorageReadOnly
        | R::StorageDamaged
        | R::StorageDisk
        | R::StorageAway
        | R::Unreadable
        | R::EndpointUnknown
        | R::BrowserUnavailable
        | R::OwnBrowserUnavailable => Exit::Preflight,
        R::Cancelled | R::TakenOver => Exit::NotAllowed,
        R::ClientRejected
        | R::AppInactive
        | R::CodeRejected
        | R::TokenRejected
        | R::ExpiredMeanwhile
        | R::Superseded
        | R::WrongTokenKind
        | R::StaticIp
        | R::PlanRequired
        | R::SegmentClosed
        | R::BrowserGone
        | R::Interrupted => Exit::Partial,
        R::InterruptedPastPress => Exit::HumanNeeded,
    }
}

/// The exit code of what was asked for of a run.
fn of_run<'s>(steps: impl Iterator<Item = &'s StepRecord>) -> Exit {
    let of_step = |state: &StepState| match state {
        StepState::Failed(failure) => Some(of_reason(failure.reason)),
        StepState::Skipped(vega_domain::run::SkipReason::Unknown) => Some(Exit::Unreachable),
        StepState::Skipped(vega_domain::run::SkipReason::ClosedHours) => Some(Exit::NotAllowed),
        StepState::Skipped(vega_domain::run::SkipReason::AccountStopped) => Some(Exit::AccountStopped),
        StepState::Skipped(vega_domain::run::SkipReason::CoolingDown) => Some(Exit::CoolDown),
        StepState::Skipped(vega_domain::run::SkipReason::LastMinute) => Some(Exit::HumanNeeded),
        StepState::Skipped(_) | StepState::Done => None,
        // Left for another time because an earlier one failed.
        StepState::Pending | StepState::SigningIn | StepState::Exchanging | StepState::Verifying => {
            Some(Exit::HumanNeeded)
        }
    };
    first(steps.filter_map(|step| of_step(&step.state)))
}

/// The exit code of a plan's part of a run, with the chosen tokens that stay unknown beside it, and what was left out of
/// the plan. A run that was taken up may have other steps, which nobody asked for now.
pub(crate) fn of_run_among(run: &RunRecord, plan: &Plan, statuses: &[ApiStatus], left_out: Exit) -> Exit {
    let is_planned = |step: &&StepRecord| plan.apis().iter().any(|planned| planned.api == step.api);
    let any_unknown = statuses
        .iter()
        .any(|status| status.status == TokenStatus::Unknown);
    first(
        [of_run(run.steps.iter().filter(is_planned))]
            .into_iter()
            .chain(any_unknown.then_some(Exit::Unreachable))
            .chain([left_out]),
    )
}

/// What the yes did not cover of the whole plan: `Ok` when it covered all.
pub(crate) fn of_left_out(whole: &Plan, started: Option<&Plan>) -> Exit {
    let is_left_out = |planned: &&PlannedApi| started.is_none_or(|started| !started.apis().contains(planned));
    let stopped = |planned: &PlannedApi| whole.stopped().iter().any(|stop| stop.account == planned.account);
    first(
        whole
            .apis()
            .iter()
            .filter(is_left_out)
            .map(|planned| match &planned.unresolved {
                _ if stopped(planned) => Exit::AccountStopped,
                Some(failure) => of_reason(failure.reason),
                None => Exit::HumanNeeded,
            }),
    )
}

/// The exit code of `status`: 0 all valid, 5 any unknown, 3 any dead.
pub(crate) fn of_statuses(statuses: &[ApiStatus]) -> Exit {
    first(statuses.iter().filter_map(|status| match status.status {
        TokenStatus::Valid => None,
        TokenStatus::Unknown => Some(Exit::Unreachable),
        TokenStatus::Expired | TokenStatus::Invalid | TokenStatus::Missing => Some(Exit::HumanNeeded),
    }))
}

/// The exit code of a request that began no run.
pub(crate) fn of_outcome(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::AllValid | Outcome::Ran(_) => Exit::Ok,
        Outcome::OnlyUnknown(_) | Outcome::Unreachable(_) => Exit::Unreachable,
        Outcome::NotNow(NotNow::ClockOff(_)) => Exit::Preflight,
        Outcome::NotNow(NotNow::ClosedHours { .. }) | Outcome::Declined | Outcome::Cancelled => {
            Exit::NotAllowed
        }
        Outcome::NotReady(error) => of_preflight(error),
        Outcome::Unconfirmed(_) => Exit::HumanNeeded,
        Outcome::NotCovered(whole) => of_left_out(whole, None),
        Outcome::Failed(error) => of_run_error(error),
    }
}

fn of_preflight(error: &PreflightError) -> Exit {
    match error {
        PreflightError::Held(_) => Exit::NotAllowed,
        PreflightError::NobodyCanBegin { .. } => Exit::CoolDown,
        PreflightError::NobodyCanAnswer | PreflightError::NobodyCanRead => Exit::HumanNeeded,
        PreflightError::Commit(_)
        | PreflightError::Key(_)
        | PreflightError::Browser(_)
        | PreflightError::Redirect { .. } => Exit::Preflight,
    }
}

pub(crate) fn of_run_error(error: &RunError) -> Exit {
    if error.is_elsewhere() {
        Exit::NotAllowed
    } else {
        Exit::Preflight
    }
}

/// What counts when both occurred.
pub(crate) fn graver(one: Exit, other: Exit) -> Exit {
    first([one, other].into_iter())
}

fn first(occurred: impl Iterator<Item = Exit>) -> Exit {
    let occurred: Vec<Exit> = occurred.collect();
    PRECEDENCE
        .into_iter()
        .find(|exit| occurred.contains(exit))
        .unwrap_or(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_domain::failure::Failure;
    use vega_domain::ids::{AccountId, ApiName, RunId};
    use vega_domain::run::{RunState, SkipReason};
    use vega_testing::builders;

    use super::*;

    /// The order of `docs/reference/exit-codes.md`; 11 stands between what is unclear and what is partial.
    const ORDER: [u8; 10] = [2, 9, 7, 8, 6, 4, 5, 11, 12, 3];

    #[test]
    fn the_gravest_wins_whatever_else_occurred() {
        assert_eq!(PRECEDENCE.map(|exit| exit as u8), ORDER);
        assert_eq!(first([].into_iter()), Exit::Ok);
        for (rank, exit) in PRECEDENCE.into_iter().enumerate() {
            let lesser = PRECEDENCE[rank..].iter().rev().copied();
            assert_eq!(first(lesser), exit);
        }
    }

    fn run_of(states: &[StepState]) -> RunRecord {
        let at = chrono::DateTime::UNIX_EPOCH;
        RunRecord {
            id: RunId::at(at),
            state: RunState::Incomplete,
            started_at: at,
            finished_at: None,
            steps: states
                .iter()
                .map(|state| StepRecord {
                    api: ApiName::new("PRIMARY").unwrap(),
                    account: AccountId::new("default").unwrap(),
                    state: state.clone(),
                })
                .collect(),
        }
    }

    fn failed(reason: FailureReason) -> StepState {
        StepState::Failed(Failure::new(reason, ""))
    }

    #[rstest]
    #[case::all_done(&[StepState::Done, StepState::Skipped(SkipReason::AlreadyServable)], Exit::Ok)]
    #[case::one_left(&[StepState::Done, StepState::Pending], Exit::HumanNeeded)]
    #[case::refused(&[failed(FailureReason::PinRefused), StepState::Pending], Exit::AccountStopped)]
    #[case::stopped_meanwhile(&[StepState::Skipped(SkipReason::AccountStopped)], Exit::AccountStopped)]
    #[case::too_late(&[StepState::Done, StepState::Skipped(SkipReason::ClosedHours)], Exit::NotAllowed)]
    #[case::cooling_down(&[StepState::Done, StepState::Skipped(SkipReason::CoolingDown)], Exit::CoolDown)]
    #[case::last_minute(&[StepState::Skipped(SkipReason::LastMinute)], Exit::HumanNeeded)]
    #[case::unknown(&[StepState::Skipped(SkipReason::Unknown)], Exit::Unreachable)]
    #[case::one_app_wrong(&[StepState::Done, failed(FailureReason::ClientRejected)], Exit::Partial)]
    #[case::cancelled(&[StepState::Done, failed(FailureReason::Cancelled)], Exit::NotAllowed)]
    #[case::throttled(&[failed(FailureReason::Throttled), StepState::Pending], Exit::CoolDown)]
    #[case::no_disk(&[failed(FailureReason::Storage), failed(FailureReason::PinRefused)], Exit::Preflight)]
    fn a_run_ends_with_its_gravest_step(#[case] states: &[StepState], #[case] exit: Exit) {
        assert_eq!(of_run(run_of(states).steps.iter()), exit);
    }

    /// A failure is never success, and never an error that nobody can name.
    #[test]
    fn every_failure_ends_with_a_code_of_its_own() {
        for &reason in FailureReason::ALL {
            let alone = of_run(run_of(&[failed(reason)]).steps.iter());
            assert!(
                !matches!(alone, Exit::Ok | Exit::Unexpected),
                "{reason}: {alone:?}"
            );
            for rest in [StepState::Done, StepState::Pending] {
                let among = of_run(run_of(&[StepState::Done, failed(reason), rest]).steps.iter());
                assert_eq!(among, alone, "{reason}: what it left open is no other matter");
            }
        }
    }

    #[test]
    fn what_the_run_left_out_counts_too() {
        let done = run_of(&[StepState::Done]);
        let plan = builders::plan(&["PRIMARY"]);
        assert_eq!(of_run_among(&done, &plan, &[], Exit::Ok), Exit::Ok);
        assert_eq!(
            of_run_among(&done, &plan, &[], Exit::AccountStopped),
            Exit::AccountStopped
        );
    }

    #[test]
    fn what_nobody_asked_for_now_does_not_count() {
        let mut run = run_of(&[failed(FailureReason::PinRefused), StepState::Done]);
        run.steps[1].api = ApiName::new("WEBSOCKET1").unwrap();
        let exit = |apis: &[&str]| of_run_among(&run, &builders::plan(apis), &[], Exit::Ok);
        assert_eq!(exit(&["WEBSOCKET1"]), Exit::Ok);
        assert_eq!(exit(&["PRIMARY", "WEBSOCKET1"]), Exit::AccountStopped);
    }

    /// The table of docs/reference/exit-codes.md, as a test.
    #[test]
    fn codes_are_fixed() {
        let codes = [
            (Exit::Ok, 0),
            (Exit::Unexpected, 1),
            (Exit::Usage, 2),
            (Exit::HumanNeeded, 3),
            (Exit::CoolDown, 4),
            (Exit::Unreachable, 5),
            (Exit::SecondFactorTimeout, 6),
            (Exit::AccountStopped, 7),
            (Exit::PageOrChallenge, 8),
            (Exit::Preflight, 9),
            (Exit::NotAllowed, 11),
            (Exit::Partial, 12),
        ];
        for (exit, code) in codes {
            assert_eq!(exit as u8, code);
        }
    }
}
