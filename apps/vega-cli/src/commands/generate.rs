//! `vega generate`: hands the request to the use case in `orchestration`, passes Ctrl-C on, and shows the outcome.

use std::convert::Infallible;
use std::future::pending;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vega_api_types::{Outcome as OutcomeView, RunView, StatusView};
use vega_bootstrap::{SigningIn, StoredState, Vega};
use vega_domain::accounts::ApiSelection;
use vega_domain::clock_check::ClockCheck;
use vega_domain::cooldown::Cooldown;
use vega_domain::outcome_code::OutcomeCode;
use vega_domain::overview::{Overview, Statuses};
use vega_domain::plan::{Decision, NotNow};
use vega_domain::run::{RunRecord, RunState};
use vega_orchestration::{FinishedRun, GenerationRequest, Outcome, Stage};

use crate::command_error::CommandError;
use crate::exit::{self, Exit};
use crate::report::earlier_runs;
use crate::report::{self, Verdict};
use crate::stop::Stop;
use crate::terminal::Terminal;
use crate::terminal::output;

pub(crate) async fn run(
    vega: &Vega,
    terminal: &Terminal,
    request: &GenerationRequest,
    json: bool,
    stop: &Stop,
) -> Result<Exit, CommandError> {
    let (cancel, running) = (CancellationToken::new(), Notify::new());
    let enter = |stage: Stage<'_>| match stage {
        Stage::Verified(verified) => {
            terminal.verified();
            earlier_runs::tell(verified);
            // A clock that keeps sign-ins shut is told as the outcome.
            if !matches!(verified.decision, Decision::NotNow(NotNow::ClockOff(_))) {
                warn_of_clock(verified.clock);
            }
        }
        Stage::Confirming(_) => {}
        Stage::Running => {
            stop.leave_to_the_run();
            running.notify_one();
        }
    };
    terminal.verifying();
    let outcome = tokio::select! {
        biased;
        outcome = vega.orchestrator.generate(request, terminal, &cancel, &enter) => outcome,
        never = pass_on(stop, &running, &cancel, terminal) => match never {},
    };
    terminal.finished();
    let exit = exit::of_outcome(&outcome);
    let told = match outcome {
        // Without `--json` it ends like any failed command.
        Outcome::Failed(error) if !json => return Err(error.into()),
        Outcome::Ran(finished) => {
            let FinishedRun { run, plan, whole } = *finished;
            let statuses = chosen_statuses(vega, &request.apis).await?;
            show(&vega.stored, json, statuses.clone(), Some(&run)).await?;
            earlier_runs::tell_rest(&run, &plan);
            let left_out = exit::of_left_out(&whole, Some(&plan));
            let exit = exit::of_run_among(&run, &plan, &statuses.apis, left_out);
            return Ok(exit::graver(exit, stopped(&cancel, &run)));
        }
        told => {
            tell(&told);
            told
        }
    };
    if json {
        match report_of(vega, &request.apis, &told).await {
            Ok(report) => output::data_json(&report)?,
            // The database failed before, and that was told.
            Err(_) if told.code() == Some(OutcomeCode::Storage) => {}
            Err(error) => {
                output::problem(&error.to_string());
                return Ok(exit::graver(exit, error.exit()));
            }
        }
    } else if says_more_than_the_plan(&told) {
        let statuses = chosen_statuses(vega, &request.apis).await?;
        show(&vega.stored, false, statuses, None).await?;
    }
    Ok(exit)
}

/// Passes the request to stop on to the run, and says what that means: what is stored stays, and `vega` goes on later.
async fn pass_on(
    stop: &Stop,
    running: &Notify,
    cancel: &CancellationToken,
    terminal: &Terminal,
) -> Infallible {
    running.notified().await;
    stop.asked(1).await;
    terminal.say("Stopping: the browser is closed, stored tokens stay. Run `vega` again to go on.");
    cancel.cancel();
    stop.asked(2).await;
    terminal
        .say("Still stopping: a code that came back is first made into its token, so that it is not lost.");
    pending().await
}

/// What it means for the exit code that a run was asked to stop.
fn stopped(cancel: &CancellationToken, run: &RunRecord) -> Exit {
    if cancel.is_cancelled() && run.state != RunState::Completed {
        Exit::NotAllowed
    } else {
        Exit::Ok
    }
}

/// The report where no run was begun, or one broke off.
async fn report_of(vega: &Vega, apis: &ApiSelection, outcome: &Outcome) -> Result<StatusView, CommandError> {
    let statuses = chosen_statuses(vega, apis).await?;
    let overview = vega.stored.overview.of(statuses).await?;
    let run = match outcome {
        Outcome::Failed(error) => match error.run() {
            Some(run) => vega.orchestrator.runs().find(run).await?,
            None => None,
        },
        _ => None,
    };
    let run = run.as_ref().map(RunView::stored);
    let outcome = outcome.code().map(|code| OutcomeView {
        code: code.into(),
        detail: outcome.words(),
    });
    let verdict = Verdict::of(&overview, &vega.stored.signing_in().await?);
    let findings = vega.stored.findings().await?;
    Ok(StatusView {
        outcome,
        ..report::as_json(&vega.stored, &overview, &verdict, run, findings).await?
    })
}

/// Says why no run was begun, with the options of the command line that change it.
fn tell(outcome: &Outcome) {
    let words = outcome.words();
    match outcome {
        Outcome::AllValid | Outcome::OnlyUnknown(_) | Outcome::Unreachable(_) => output::say(&words),
        Outcome::Declined => output::say("Nothing was done."),
        Outcome::NotNow(NotNow::ClosedHours { .. }) => {
            output::problem(&format!("{words} That is --force --reason TEXT."));
        }
        Outcome::Unconfirmed(_) => {
            output::problem("there is no terminal to ask on. Add --yes to carry the plan out");
        }
        _ => output::problem(&words),
    }
}

/// Whether the statuses say more than the plan that was shown.
fn says_more_than_the_plan(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::AllValid | Outcome::OnlyUnknown(_) | Outcome::Unreachable(_) | Outcome::NotNow(_)
    )
}

async fn chosen_statuses(vega: &Vega, chosen: &ApiSelection) -> Result<Statuses, CommandError> {
    let mut statuses = vega.stored.validity.all_statuses().await?;
    statuses.apis.retain(|status| chosen.includes(&status.api));
    Ok(statuses)
}

/// Says that this computer's clock is wrong, if it is.
pub(crate) fn warn_of_clock(clock: ClockCheck) {
    if let Some(words) = clock.words() {
        output::say(&format!("warning: {words}."));
    }
}

/// The verdict and the statuses as a table with what to do next, or as JSON.
pub(crate) async fn show(
    stored: &StoredState,
    json: bool,
    statuses: Statuses,
    run: Option<&RunRecord>,
) -> Result<(), CommandError> {
    let overview = stored.overview.of(statuses).await?;
    let signing_in = stored.signing_in().await?;
    if json {
        let findings = stored.findings().await?;
        let verdict = Verdict::of(&overview, &signing_in);
        let run = run.map(RunView::stored).or_else(|| report::run_of(&signing_in));
        return output::data_json(&report::as_json(stored, &overview, &verdict, run, findings).await?);
    }
    show_text(&overview, &signing_in);
    Ok(())
}

/// The verdict and the statuses as a table with what to do next, and what a run does meanwhile.
pub(crate) fn show_text(overview: &Overview, signing_in: &SigningIn) {
    let colours = console::colors_enabled();
    let verdict = Verdict::of(overview, signing_in);
    let out = console::Term::stdout();
    // A pipe has no width.
    let width = if out.is_term() { out.size().1 } else { u16::MAX };
    output::data_in_colour(&verdict.headline(width, colours));
    let statuses = &overview.statuses;
    output::data_in_colour(&report::table(statuses, width, colours));
    for line in report::advice(statuses, &overview.evidence, &overview.closed) {
        output::say(&line);
    }
    let is_shown = |closed: &&Cooldown| statuses.iter().any(|status| status.account == closed.account);
    for closed in overview.closed.iter().filter(is_shown) {
        output::say(&report::closed(closed, &overview.now));
    }
    for analytics in &overview.analytics {
        output::say(&report::analytics(analytics, overview.now.at));
    }
    if let Some(line) = report::signing_in(signing_in, overview.now.at) {
        output::say(&line);
    }
}
