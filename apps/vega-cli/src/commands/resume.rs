//! `vega resume`: goes on with today's incomplete run, and with nothing else.

use vega_bootstrap::Vega;

use crate::command_error::CommandError;
use crate::command_line::arguments::Resume;
use crate::commands::generate;
use crate::exit::Exit;
use crate::report::earlier_runs;
use crate::stop::Stop;
use crate::terminal::Terminal;
use crate::terminal::output;

pub(crate) async fn run(
    vega: &Vega,
    terminal: &Terminal,
    wanted: Resume,
    stop: &Stop,
) -> Result<Exit, CommandError> {
    // One that was cut off counts as well.
    earlier_runs::tell_abandoned(&vega.orchestrator.clear_up().await?);
    let Some(run) = vega.orchestrator.runs().open().await? else {
        output::say(
            "No run of today is incomplete. `vega` verifies everything and begins one where a token is dead.",
        );
        let statuses = vega.stored.validity.all_statuses().await?;
        if wanted.way.json {
            generate::show(&vega.stored, true, statuses, None).await?;
        }
        return Ok(Exit::Ok);
    };
    let apis = run.steps.iter().map(|step| step.api.clone());
    let apis = vega.settings.accounts.select(apis);
    if apis.is_empty() {
        let names: Vec<&str> = run.steps.iter().map(|step| step.api.as_str()).collect();
        output::problem(&format!(
            "none of the APIs of today's incomplete run is configured any more: {}. Configure one of them again, or run \
             `vega` for those that are configured now",
            names.join(", ")
        ));
        return Ok(Exit::HumanNeeded);
    }
    let request = wanted.way.request(apis, None);
    generate::run(vega, terminal, &request, wanted.way.json, stop).await
}
