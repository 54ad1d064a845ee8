//! `vega status`: what is stored. Asks neither Upstox nor the human.

use vega_bootstrap::{RowScope, Vega};

use crate::audit;
use crate::exit::{self, Exit};
use crate::generate::show;
use crate::output;

pub(crate) async fn run(vega: &Vega, json: bool) -> anyhow::Result<Exit> {
    let statuses = vega.validity.statuses().await?;
    show(vega, json, &statuses, None).await?;
    let faults = vega.row_faults(RowScope::Deciding).await?;
    for line in audit::faults(&faults) {
        output::problem(&line);
    }
    if faults.database.is_some() {
        return Ok(Exit::Preflight);
    }
    Ok(exit::of_statuses(&statuses))
}
