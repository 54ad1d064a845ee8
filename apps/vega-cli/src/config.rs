//! `vega config`: the settings in force. Opens no database and asks nobody.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;
use vega_bootstrap::Settings;

use crate::exit::Exit;
use crate::output;

pub(crate) fn run(settings: &Settings, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        let all: Vec<_> = settings
            .effective
            .iter()
            .map(|setting| json!({ "key": setting.key, "value": setting.value, "source": setting.source }))
            .collect();
        output::data_json(&json!({ "v": 1, "settings": all }))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(console::Term::stdout().size().1)
        .set_header(["SETTING", "VALUE", "SOURCE"]);
    for setting in &settings.effective {
        table.add_row([&setting.key, &setting.value, &setting.source]);
    }
    output::data(&table.to_string());
    Ok(Exit::Ok)
}
