//! `vega status`: what is stored, and what a run does meanwhile. Asks neither Upstox nor the human.

use vega_bootstrap::{RowScope, Vega};

use crate::command_error::CommandError;
use crate::commands::audit;
use crate::commands::generate::show;
use crate::exit::{self, Exit};
use crate::report;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, json: bool) -> Result<Exit, CommandError> {
    let statuses = vega.validity.statuses().await?;
    let run = vega.orchestrator.runs().active().await?;
    show(vega, json, &statuses, run.as_ref()).await?;
    if let Some(run) = run.filter(|_| !json) {
        output::say(&report::run_under_way(&run));
    }
    let faults = vega.maintenance.row_faults(RowScope::Deciding).await?;
    for line in audit::faults(&faults) {
        output::problem(&line);
    }
    // Told, and no matter of the exit code: the tokens are what they are.
    audit::undone_by_an_older_file(vega).await;
    if faults.database.is_some() {
        return Ok(Exit::Preflight);
    }
    Ok(exit::of_statuses(&statuses))
}
