//! `vega generate`: verify, plan, ask, run, show.

use vega_bootstrap::Vega;
use vega_domain::failure::FailureReason;
use vega_domain::ids::ApiName;
use vega_domain::plan::{Decision, Plan};
use vega_domain::ports::Answer;
use vega_domain::run::{RunRecord, StepState};
use vega_domain::token::ApiStatus;
use vega_orchestration::RunHandle;

use crate::arguments::Generate;
use crate::exit::{self, Exit};
use crate::output;
use crate::report::{self, Report};
use crate::terminal::Terminal;

pub(crate) async fn run(vega: &Vega, terminal: &Terminal, wanted: &Generate) -> anyhow::Result<Exit> {
    terminal.verifying();
    let verified = vega.orchestrator.verify(&wanted.apis).await;
    terminal.verified();
    let verified = verified?;
    if let Some(run) = &verified.left_over {
        let done = run
            .steps
            .iter()
            .filter(|step| step.state == StepState::Done)
            .count();
        let of = run.steps.len();
        output::say(&format!(
            "The run before this one was cut off after {done} of {of} tokens."
        ));
    }
    match verified.decision {
        Decision::AllValid => {
            output::say("All tokens are valid; no sign-in is needed.");
            show(vega, wanted.json, &verified.statuses, None).await?;
            Ok(Exit::Ok)
        }
        Decision::OnlyUnknown(apis) => {
            let names: Vec<&str> = apis.iter().map(ApiName::as_str).collect();
            output::say(&format!(
                "Upstox could not be asked about {}. No sign-in was made: these tokens may well be good.",
                names.join(", ")
            ));
            show(vega, wanted.json, &verified.statuses, None).await?;
            Ok(Exit::Unreachable)
        }
        Decision::Unreachable(reason) => {
            unreachable_upstox(reason);
            show(vega, wanted.json, &verified.statuses, None).await?;
            Ok(Exit::Unreachable)
        }
        Decision::SignIn(plan) => sign_in(vega, terminal, wanted, plan).await,
    }
}

async fn sign_in(vega: &Vega, terminal: &Terminal, wanted: &Generate, plan: Plan) -> anyhow::Result<Exit> {
    vega.check_browser()?;
    match vega.orchestrator.confirm(&plan, terminal).await? {
        Answer::Yes => {}
        Answer::No => {
            output::say("Nothing was done.");
            return Ok(Exit::NotAllowed);
        }
        Answer::NobodyToAsk => {
            output::problem("there is no terminal to ask on. Add --yes to carry the plan out");
            return Ok(Exit::HumanNeeded);
        }
    }
    let mut handle = vega.orchestrator.start(plan);
    let run = finish(&mut handle).await?;
    terminal.finished();
    let mut statuses = vega.validity.statuses().await?;
    statuses.retain(|status| wanted.apis.is_empty() || wanted.apis.contains(&status.api));
    show(vega, wanted.json, &statuses, Some(&run)).await?;
    Ok(exit::of_run_among(&run, &statuses))
}

/// Waits for the run. Ctrl-C or a polite kill ends it: what is stored stays, and `vega` goes on later.
async fn finish(handle: &mut RunHandle) -> anyhow::Result<RunRecord> {
    tokio::select! {
        run = handle.outcome() => return Ok(run?),
        () = asked_to_stop() => {
            output::say("Stopping: the browser is closed, stored tokens stay. Run `vega` again to go on.");
            handle.cancel();
        }
    }
    Ok(handle.outcome().await?)
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// The verdict when all checks failed alike.
pub(crate) fn unreachable_upstox(reason: FailureReason) {
    output::say(&format!(
        "Upstox is unreachable: {}. This says nothing about the tokens, so no sign-in was made. {}",
        reason.summary(),
        reason.advice()
    ));
}

/// The statuses as a table with what to do next, or as JSON.
pub(crate) async fn show(
    vega: &Vega,
    json: bool,
    statuses: &[ApiStatus],
    run: Option<&RunRecord>,
) -> anyhow::Result<()> {
    if json {
        return output::data_json(&Report::new(vega, statuses, run).await?);
    }
    let out = console::Term::stdout();
    output::data(&report::table(statuses, out.size().1, console::colors_enabled()));
    for line in report::advice(statuses) {
        output::say(&line);
    }
    Ok(())
}
