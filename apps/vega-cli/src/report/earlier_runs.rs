//! What is said of runs that began before this `vega`: the one that is taken up again, and those that nobody goes on with.

use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::plan::{Decision, Plan};
use vega_domain::resume::TakenUp;
use vega_domain::run::RunRecord;
use vega_orchestration::{LeftOver, Verification};

use crate::terminal::output;

/// Says which runs of an earlier day were given up.
pub(crate) fn tell_abandoned(left_over: &LeftOver) {
    for run in &left_over.abandoned {
        output::say(&format!(
            "The run of {} IST was abandoned: 03:30 IST came after {} of {} tokens.",
            in_ist(run.started_at).format("%-d %b %H:%M"),
            run.settled(),
            run.steps.len()
        ));
    }
}

/// Says what verification found of them.
pub(crate) fn tell(verified: &Verification) {
    tell_abandoned(&verified.left_over);
    if let Some(run) = &verified.completed {
        let settled = "needs no sign-in any more and is completed";
        output::say(&format!("The run of {} {settled}.", began(run)));
    }
    let taken_up = match &verified.decision {
        Decision::SignIn(plan) => plan.taken_up(),
        _ => None,
    };
    let cut_off = verified.left_over.cut_off.as_ref();
    match (cut_off, taken_up) {
        (Some(run), None) => output::say(&format!(
            "The run before this one was cut off after {} of {} tokens.",
            run.settled(),
            run.steps.len()
        )),
        (
            cut_off,
            Some(TakenUp {
                run,
                started_at,
                settled,
                of,
                ..
            }),
        ) => {
            let was_cut_off = cut_off.is_some_and(|cut_off| cut_off.id == *run);
            let ended = if was_cut_off {
                "was cut off after"
            } else {
                "ended with"
            };
            output::say(&format!(
                "The run of {} IST {ended} {settled} of {of} tokens; this goes on with it.",
                in_ist(*started_at).format("%H:%M")
            ));
        }
        (None, None) => {}
    }
}

/// Says what a run still lacks that this start was not asked for.
pub(crate) fn tell_rest(run: &RunRecord, plan: &Plan) {
    let is_asked_for = |api: &ApiName| plan.apis().iter().any(|planned| planned.api == *api);
    let rest = run
        .steps
        .iter()
        .filter(|step| !step.state.is_settled() && !is_asked_for(&step.api));
    let rest: Vec<&str> = rest.map(|step| step.api.as_str()).collect();
    if !rest.is_empty() {
        output::say(&format!(
            "The run of {} is not complete without {}. `vega resume` goes on with it.",
            began(run),
            rest.join(", ")
        ));
    }
}

fn began(run: &RunRecord) -> String {
    format!("{} IST", in_ist(run.started_at).format("%H:%M"))
}
