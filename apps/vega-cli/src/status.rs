//! `vega status`: what is stored. Asks neither Upstox nor the human.

use vega_bootstrap::Vega;

use crate::exit::{self, Exit};
use crate::generate::show;

pub(crate) async fn run(vega: &Vega, json: bool) -> anyhow::Result<Exit> {
    let statuses = vega.validity.statuses().await?;
    show(vega, json, &statuses, None).await?;
    Ok(exit::of_statuses(&statuses))
}
