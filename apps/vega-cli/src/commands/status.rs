//! `vega status`: what is stored, and what a run does meanwhile. Asks neither Upstox nor the human.

use vega_bootstrap::{Findings, StoredState};

use crate::command_error::CommandError;
use crate::commands::audit;
use crate::commands::generate::show_text;
use crate::exit::{self, Exit};
use crate::report::{self, Verdict};
use crate::terminal::output;

/// With what does not fit in the database.
pub(crate) async fn run(stored: &StoredState, findings: Findings, json: bool) -> Result<Exit, CommandError> {
    let overview = stored.overview.all().await?;
    let signing_in = stored.signing_in().await?;
    let exit = if findings.faults.database.is_some() {
        Exit::Preflight
    } else {
        exit::of_statuses(&overview.statuses)
    };
    let told = audit::faults(&findings.faults);
    let missing_checkpoint = findings.missing_checkpoint.clone();
    if json {
        let verdict = Verdict::of(&overview, &signing_in);
        let run = report::run_of(&signing_in);
        output::data_json(&report::as_json(stored, &overview, &verdict, run, findings).await?)?;
    } else {
        show_text(&overview, &signing_in);
    }
    for line in told {
        output::problem(&line);
    }
    // Told, and no matter of the exit code: the tokens are what they are.
    audit::undone_by_an_older_file(missing_checkpoint);
    Ok(exit)
}
