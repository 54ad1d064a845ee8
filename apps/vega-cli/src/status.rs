//! `vega status`: what is stored. Asks neither Upstox nor the human.

use vega_bootstrap::Vega;

use crate::exit::{self, Exit};
use crate::output;
use crate::report::{self, Report};

pub(crate) async fn run(vega: &Vega, json: bool) -> anyhow::Result<Exit> {
    let statuses = vega.validity.statuses().await?;
    if json {
        output::data_json(&Report::new(vega, &statuses, None).await?)?;
    } else {
        let out = console::Term::stdout();
        output::data(&report::table(&statuses, out.size().1, console::colors_enabled()));
        for line in report::advice(&statuses) {
            output::say(&line);
        }
    }
    Ok(exit::of_statuses(&statuses))
}
