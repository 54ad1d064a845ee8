//! `vega cancel`: ends the run that is under way, in whichever process.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use vega_bootstrap::Vega;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::terminal::output;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A code that is on its way is brought home first, and the browser is closed.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

pub(crate) async fn run(vega: &Vega) -> Result<Exit, CommandError> {
    let Some(run) = vega.orchestrator.runs().request_cancel().await? else {
        output::say("No run is under way.");
        return Ok(Exit::Ok);
    };
    let asked = Instant::now();
    while !vega.orchestrator.has_ended(run).await? {
        if asked.elapsed() > ENDS_WITHIN {
            output::problem(
                "the run was asked to end a minute ago and goes on. Look at the terminal that it runs in; Ctrl-C there \
                 ends it",
            );
            return Ok(Exit::Unexpected);
        }
        sleep(LOOK_EVERY).await;
    }
    output::say("The run has ended. What is stored stays; `vega` goes on with the rest.");
    Ok(Exit::Ok)
}
