//! `vega status`: what is stored, and what a run does meanwhile. Asks neither Upstox nor the human.

use vega_bootstrap::StoredState;
use vega_domain::row_faults::RowFaults;

use crate::command_error::CommandError;
use crate::commands::audit;
use crate::commands::generate::show;
use crate::exit::{self, Exit};
use crate::report;
use crate::terminal::output;

/// With what does not fit of the rows that decide something.
pub(crate) async fn run(stored: &StoredState, faults: &RowFaults, json: bool) -> Result<Exit, CommandError> {
    let statuses = stored.validity.statuses().await?;
    let run = stored.active_run().await?;
    show(stored, json, &statuses, run.as_ref()).await?;
    if let Some(run) = run.filter(|_| !json) {
        output::say(&report::run_under_way(&run));
    }
    for line in audit::faults(faults) {
        output::problem(&line);
    }
    // Told, and no matter of the exit code: the tokens are what they are.
    audit::undone_by_an_older_file(stored.missing_checkpoint().await);
    if faults.database.is_some() {
        return Ok(Exit::Preflight);
    }
    Ok(exit::of_statuses(&statuses))
}
