//! How a run that ended incomplete is taken up again: which of its steps begin anew, and in which order. Pure; whether a
//! run may be taken up is for its states to say (`RunState::may_become`).

use chrono::{DateTime, Utc};

use crate::expiry;
use crate::ids::{ApiName, RunId};
use crate::planned_api::PlannedApi;
use crate::run::{RunRecord, RunState, SkipReason, StepRecord, StepState};

/// The run that a plan goes on with, as the operator is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenUp {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How many of its steps have their token.
    pub settled: usize,
    /// How many steps it has.
    pub of: usize,
    /// The step that failed last: its API comes first.
    pub first: Option<ApiName>,
}

impl TakenUp {
    /// Of this run.
    pub fn of(run: &RunRecord) -> Self {
        Self {
            run: run.id,
            started_at: run.started_at,
            settled: run.settled(),
            of: run.steps.len(),
            first: last_failed(run),
        }
    }
}

/// Whether a run can still be taken up: it ended incomplete, and its tokens have not died at 03:30 IST since.
pub fn is_open(run: &RunRecord, now: DateTime<Utc>) -> bool {
    run.state == RunState::Incomplete && run.started_at >= expiry::day_start(now)
}

/// The steps are in the order of signing in, so the last one that failed is the one that failed last.
fn last_failed(run: &RunRecord) -> Option<ApiName> {
    let mut steps = run.steps.iter().rev();
    let failed = steps.find(|step| matches!(step.state, StepState::Failed(_)));
    failed.map(|step| step.api.clone())
}

/// The steps with which `run` goes on: what is planned begins anew, in the plan's order and after the rest. Of the rest, a
/// step whose token is `servable` has it, a step that had its token and lost it is open again, and every other one stays
/// as it ended.
pub fn steps(
    run: &RunRecord,
    planned: &[PlannedApi],
    servable: impl Fn(&ApiName) -> bool,
) -> Vec<StepRecord> {
    let is_planned = |api: &ApiName| planned.iter().any(|planned| planned.api == *api);
    let rest = run.steps.iter().filter(|step| !is_planned(&step.api));
    let rest = rest.map(|step| StepRecord {
        state: seen_again(&step.state, servable(&step.api)),
        ..step.clone()
    });
    let planned = planned.iter().map(|planned| StepRecord {
        api: planned.api.clone(),
        account: planned.account.clone(),
        state: StepState::Pending,
    });
    rest.chain(planned).collect()
}

/// The steps of a run for which nothing is left to sign in for; `None` when one of its tokens is still missing.
pub fn settled_steps(run: &RunRecord, servable: impl Fn(&ApiName) -> bool) -> Option<Vec<StepRecord>> {
    let steps: Vec<StepRecord> = run
        .steps
        .iter()
        .map(|step| StepRecord {
            state: seen_again(&step.state, servable(&step.api)),
            ..step.clone()
        })
        .collect();
    (RunRecord::end_state(&steps) == RunState::Completed).then_some(steps)
}

fn seen_again(state: &StepState, is_servable: bool) -> StepState {
    match (state.is_settled(), is_servable) {
        (false, true) => StepState::Skipped(SkipReason::AlreadyServable),
        (true, false) => StepState::Pending,
        _ => state.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::failure::{Failure, FailureReason};
    use crate::ids::AccountId;
    use crate::planned_api::SignInCause;

    fn name(api: &str) -> ApiName {
        ApiName::new(api).unwrap()
    }

    fn failed() -> StepState {
        StepState::Failed(Failure::new(FailureReason::BrowserGone, ""))
    }

    fn run(steps: &[(&str, StepState)]) -> RunRecord {
        let at = DateTime::parse_from_rfc3339("2026-11-24T08:41:00+05:30").unwrap();
        RunRecord {
            id: RunId::at(at.to_utc()),
            state: RunState::Incomplete,
            started_at: at.to_utc(),
            finished_at: None,
            steps: steps
                .iter()
                .map(|(api, state)| StepRecord {
                    api: name(api),
                    account: AccountId::new("main").unwrap(),
                    state: state.clone(),
                })
                .collect(),
        }
    }

    fn plan(apis: &[(&str, &str)]) -> Vec<PlannedApi> {
        let planned = apis.iter().map(|(account, api)| PlannedApi {
            api: name(api),
            account: AccountId::new(*account).unwrap(),
            cause: SignInCause::Missing,
            replaces: None,
            unresolved: None,
            last_failure: None,
            last_attempt: None,
        });
        planned.collect()
    }

    fn words(steps: &[StepRecord]) -> Vec<String> {
        let word = |step: &StepRecord| format!("{} {}", step.api, step.state.as_str());
        steps.iter().map(word).collect()
    }

    #[rstest]
    #[case::planned_begins_anew_after_the_rest(
        &[("A", StepState::Done), ("B", failed()), ("C", StepState::Pending)],
        &["C", "B"],
        &["A"],
        &["A done", "C pending", "B pending"]
    )]
    #[case::not_chosen_stays_as_it_ended(
        &[("A", failed()), ("B", StepState::Pending)],
        &["B"],
        &[],
        &["A failed", "B pending"]
    )]
    #[case::settled_meanwhile(&[("A", failed()), ("B", StepState::Pending)], &["B"], &["A"], &["A skipped", "B pending"])]
    #[case::lost_meanwhile(&[("A", StepState::Done), ("B", failed())], &["B"], &[], &["A pending", "B pending"])]
    #[case::one_more_than_before(&[("A", StepState::Done), ("B", failed())], &["B", "C"], &["A"], &["A done", "B pending", "C pending"])]
    #[case::made_before_and_planned_again(&[("A", StepState::Done), ("B", failed())], &["A"], &[], &["B failed", "A pending"])]
    fn a_run_goes_on_with_what_is_planned(
        #[case] left: &[(&str, StepState)],
        #[case] planned: &[&str],
        #[case] servable: &[&str],
        #[case] expected: &[&str],
    ) {
        let apis: Vec<_> = planned.iter().map(|api| ("main", *api)).collect();
        let steps = steps(&run(left), &plan(&apis), |api| servable.contains(&api.as_str()));
        assert_eq!(words(&steps), expected);
        for step in &steps {
            let from = left.iter().find(|(api, _)| *api == step.api.as_str());
            assert!(
                from.is_none_or(|(_, from)| *from == step.state || from.may_become(&step.state)),
                "{from:?} -> {step:?}"
            );
        }
    }

    #[test]
    fn nothing_is_settled_while_a_token_is_missing() {
        let run = run(&[("A", StepState::Done), ("B", failed())]);
        assert_eq!(settled_steps(&run, |api| api.as_str() == "A"), None);
        assert_eq!(settled_steps(&run, |api| api.as_str() == "B"), None);
        let settled = settled_steps(&run, |_| true).unwrap();
        assert_eq!(words(&settled), ["A done", "B skipped"]);
    }

    #[rstest]
    #[case::the_last_failed_step(&[("A", failed()), ("B", failed()), ("C", StepState::Pending)], Some("B"))]
    #[case::none_failed(&[("A", StepState::Done), ("C", StepState::Pending)], None)]
    fn the_last_failed_step_comes_first(#[case] steps: &[(&str, StepState)], #[case] first: Option<&str>) {
        assert_eq!(TakenUp::of(&run(steps)).first, first.map(name));
    }

    #[rstest]
    #[case::same_morning("2026-11-24T09:10:00+05:30", true)]
    #[case::same_day("2026-11-25T03:29:59+05:30", true)]
    #[case::next_day("2026-11-25T03:30:00+05:30", false)]
    fn a_run_is_open_until_the_next_0330(#[case] now: &str, #[case] open: bool) {
        let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        let run = run(&[("A", failed())]);
        assert_eq!(is_open(&run, now), open);
        for state in RunState::ALL {
            let run = RunRecord { state, ..run.clone() };
            assert_eq!(
                is_open(&run, now),
                open && state == RunState::Incomplete,
                "{state:?}"
            );
        }
    }
}
