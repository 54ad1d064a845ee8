//! `vega verify`: asks Upstox about every stored token. Signs in for none.

use vega_bootstrap::Vega;
use vega_domain::plan::{Decision, Wanted};

use crate::arguments::Verify;
use crate::exit::{self, Exit};
use crate::generate::{show, unreachable_upstox, warn_of_clock};
use crate::terminal::Terminal;

pub(crate) async fn run(vega: &Vega, terminal: &Terminal, wanted: &Verify) -> anyhow::Result<Exit> {
    terminal.verifying();
    let verified = vega
        .orchestrator
        .verify(Wanted {
            apis: &wanted.apis,
            ..Wanted::default()
        })
        .await;
    terminal.verified();
    let verified = verified?;
    warn_of_clock(verified.clock);
    let mut exit = exit::of_statuses(&verified.statuses);
    if let Decision::Unreachable(failure) = &verified.decision {
        unreachable_upstox(failure);
        exit = Exit::Unreachable;
    }
    show(vega, wanted.json, &verified.statuses, None).await?;
    Ok(exit)
}
