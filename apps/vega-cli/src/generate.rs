//! `vega generate`: verify, plan, ask, run, show.

use vega_bootstrap::{PreflightError, Vega};
use vega_domain::account::Route;
use vega_domain::clock_check::ClockCheck;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::in_ist;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::plan::{Decision, NotNow, Plan};
use vega_domain::run::{RunRecord, RunState};
use vega_domain::token::ApiStatus;
use vega_orchestration::{Confirmation, RunHandle};

use crate::arguments::Generate;
use crate::earlier_runs;
use crate::exit::{self, Exit};
use crate::output;
use crate::report::{self, Report};
use crate::stop::Stop;
use crate::terminal::Terminal;

pub(crate) async fn run(
    vega: &Vega,
    terminal: &Terminal,
    wanted: &Generate,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    terminal.verifying();
    let verified = vega.orchestrator.verify(wanted.wanted()).await;
    terminal.verified();
    let verified = verified?;
    earlier_runs::tell(&verified);
    warn_of_clock(verified.clock);
    match verified.decision {
        Decision::AllValid => {
            output::say("All tokens are valid; no sign-in is needed.");
            show(vega, wanted.way.json, &verified.statuses, None).await?;
            Ok(Exit::Ok)
        }
        Decision::OnlyUnknown(apis) => {
            let names: Vec<&str> = apis.iter().map(ApiName::as_str).collect();
            output::say(&format!(
                "Upstox could not be asked about {}. No sign-in was made: these tokens may well be good.",
                names.join(", ")
            ));
            show(vega, wanted.way.json, &verified.statuses, None).await?;
            Ok(Exit::Unreachable)
        }
        Decision::Unreachable(failure) => {
            unreachable_upstox(&failure);
            show(vega, wanted.way.json, &verified.statuses, None).await?;
            Ok(Exit::Unreachable)
        }
        Decision::NotNow(not_now) => {
            let exit = refuse(not_now);
            show(vega, wanted.way.json, &verified.statuses, None).await?;
            Ok(exit)
        }
        Decision::SignIn(plan) => sign_in(vega, terminal, wanted, plan, stop).await,
    }
}

async fn sign_in(
    vega: &Vega,
    terminal: &Terminal,
    wanted: &Generate,
    plan: Plan,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    if vega.has_route(&plan, Route::OwnBrowser) && !terminal.can_show() && !wanted.way.open {
        output::problem(
            "the own-browser route shows a link, and there is no terminal to show it on. Run `vega` in a terminal, or \
             add --open to have the link opened here",
        );
        return nothing_done(vega, wanted, Exit::HumanNeeded).await;
    }
    match vega.preflight(&plan, wanted.wait_policy()).await {
        Err(later @ PreflightError::NobodyCanBegin { .. }) => {
            output::problem(&later.to_string());
            return nothing_done(vega, wanted, Exit::CoolDown).await;
        }
        Err(nobody @ PreflightError::NobodyCanAnswer) => {
            output::problem(&nobody.to_string());
            return nothing_done(vega, wanted, Exit::HumanNeeded).await;
        }
        checked => checked?,
    }
    let whole = plan.clone();
    let nothing_covered = plan.clone().for_a_standing_yes().is_none();
    let plan = match vega.orchestrator.confirm(plan, terminal).await? {
        Confirmation::Start(plan) => *plan,
        Confirmation::NobodyToAsk if !nothing_covered => {
            output::problem("there is no terminal to ask on. Add --yes to carry the plan out");
            return nothing_done(vega, wanted, Exit::HumanNeeded).await;
        }
        Confirmation::NothingCovered | Confirmation::NobodyToAsk => {
            output::problem(&needs_a_yes_of_its_own(&whole));
            return nothing_done(vega, wanted, exit::of_left_out(&whole, None)).await;
        }
        Confirmation::Declined => {
            output::say("Nothing was done.");
            return nothing_done(vega, wanted, Exit::NotAllowed).await;
        }
    };
    let left_out = exit::of_left_out(&whole, Some(&plan));
    stop.leave_to_the_run();
    let handle = vega.orchestrator.start(plan.clone(), wanted.wait_policy());
    let (run, stopped) = finish(&handle, terminal, stop).await?;
    terminal.finished();
    let statuses = chosen_statuses(vega, wanted).await?;
    show(vega, wanted.way.json, &statuses, Some(&run)).await?;
    earlier_runs::tell_rest(&run, &plan);
    let exit = exit::of_run_among(&run, &plan, &statuses, left_out);
    Ok(exit::graver(exit, stopped))
}

/// Why a yes that was given before does not do.
fn needs_a_yes_of_its_own(plan: &Plan) -> String {
    if plan.stopped().is_empty() {
        let names: Vec<&str> = plan.doubtful().map(|planned| planned.api.as_str()).collect();
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

/// A program that asked for JSON gets it whatever the outcome; people have seen the plan.
async fn nothing_done(vega: &Vega, wanted: &Generate, exit: Exit) -> anyhow::Result<Exit> {
    if wanted.way.json {
        show(vega, true, &chosen_statuses(vega, wanted).await?, None).await?;
    }
    Ok(exit)
}

async fn chosen_statuses(vega: &Vega, wanted: &Generate) -> anyhow::Result<Vec<ApiStatus>> {
    let mut statuses = vega.validity.statuses().await?;
    statuses.retain(|status| wanted.apis.is_empty() || wanted.apis.contains(&status.api));
    Ok(statuses)
}

/// Says why no sign-in may begin now.
fn refuse(not_now: NotNow) -> Exit {
    match not_now {
        // The clock's own words were a warning before.
        NotNow::ClockOff(_) => {
            output::problem(
                "with a clock so wrong nothing is signed in for. Set it right and run `vega` again",
            );
            Exit::Preflight
        }
        NotNow::ClosedHours { until } => {
            output::problem(&format!(
                "a token made now would die at 03:30 IST, so sign-ins are closed until {} IST. \
                 Run `vega` then, or add --force --reason TEXT",
                in_ist(until).format("%H:%M")
            ));
            Exit::NotAllowed
        }
    }
}

/// Says that this computer's clock is wrong, if it is.
pub(crate) fn warn_of_clock(clock: ClockCheck) {
    if let Some(words) = clock.words() {
        output::say(&format!("warning: {words}."));
    }
}

/// Waits for the run, and says what it means that it was asked to stop: what is stored stays, and `vega` goes on later.
async fn finish(handle: &RunHandle, terminal: &Terminal, stop: &Stop) -> anyhow::Result<(RunRecord, Exit)> {
    tokio::select! {
        run = handle.outcome() => return Ok((run?, Exit::Ok)),
        () = stop.asked(1) => {
            terminal.say("Stopping: the browser is closed, stored tokens stay. Run `vega` again to go on.");
            handle.cancel();
        }
    }
    let run = tokio::select! {
        run = handle.outcome() => run?,
        () = stop.asked(2) => {
            terminal.say("Still stopping: a code that came back is first made into its token, so that it is not lost.");
            handle.outcome().await?
        }
    };
    let exit = match run.state {
        RunState::Completed => Exit::Ok,
        _ => Exit::NotAllowed,
    };
    Ok((run, exit))
}

/// The verdict when Upstox answers nobody.
pub(crate) fn unreachable_upstox(failure: &Failure) {
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
            "Wait a little, see whether upstox.com works from here, then run `vega` again."
        }
        other => other.advice(),
    };
    output::say(&format!(
        "Upstox is unreachable: {what}{detail}. This says nothing about the tokens, so no sign-in was made. {next}"
    ));
}

/// The verdict and the statuses as a table with what to do next, or as JSON.
pub(crate) async fn show(
    vega: &Vega,
    json: bool,
    statuses: &[ApiStatus],
    run: Option<&RunRecord>,
) -> anyhow::Result<()> {
    if json {
        return output::data_json(&Report::new(vega, statuses, run).await?);
    }
    let closed = vega.cooldowns.closed().await?;
    let colours = console::colors_enabled();
    let verdict = report::verdict(vega, statuses, &closed);
    let out = console::Term::stdout();
    // A pipe has no width.
    let width = if out.is_term() { out.size().1 } else { u16::MAX };
    output::data_in_colour(&verdict.headline(width, colours));
    output::data_in_colour(&report::table(statuses, width, colours));
    let evidence = vega.evidence(statuses).await?;
    for line in report::advice(statuses, &evidence, &closed) {
        output::say(&line);
    }
    let is_shown = |closed: &&Cooldown| statuses.iter().any(|status| status.account == closed.account);
    for closed in closed.iter().filter(is_shown) {
        output::say(&report::closed(closed, &vega.clock.moment()));
    }
    Ok(())
}
