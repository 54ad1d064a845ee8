//! `vega verify`: asks Upstox about every stored token. Signs in for none.

use vega_bootstrap::Vega;
use vega_domain::accounts::ApiSelection;
use vega_domain::overview::Statuses;
use vega_domain::plan::{Decision, Wanted};
use vega_orchestration::unreachable_words;

use crate::command_error::CommandError;
use crate::command_line::arguments::Verify;
use crate::commands::generate::{show, warn_of_clock};
use crate::exit::{self, Exit};
use crate::terminal::Terminal;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, terminal: &Terminal, wanted: &Verify) -> Result<Exit, CommandError> {
    terminal.verifying();
    let verified = vega
        .orchestrator
        .verify(Wanted {
            apis: &ApiSelection::named(wanted.apis.clone()),
            ..Wanted::default()
        })
        .await;
    terminal.verified();
    let verified = verified?;
    warn_of_clock(verified.clock);
    let mut exit = exit::of_statuses(&verified.statuses);
    if let Decision::Unreachable(failure) = &verified.decision {
        output::say(&unreachable_words(failure));
        exit = Exit::Unreachable;
    }
    let statuses = Statuses {
        apis: verified.statuses,
        analytics: verified.analytics,
    };
    show(&vega.stored, wanted.json, statuses, None).await?;
    Ok(exit)
}
