//! `vega config`: the settings in force. Opens no database and asks nobody.

use comfy_table::{ContentArrangement, Table, presets};
use console::{Term, measure_text_width};
use vega_api_types::ConfigView;
use vega_bootstrap::{EffectiveSetting, Settings};
use vega_domain::visible::on_one_line;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) fn run(settings: &Settings, as_json: bool) -> Result<Exit, CommandError> {
    if as_json {
        let effective = settings.effective.iter();
        let effective = effective.map(|one| (&*one.key, &*one.value, &*one.source));
        output::data_json(&ConfigView::of(
            &settings.database_url,
            effective,
            &settings.warnings,
        ))?;
        return Ok(Exit::Ok);
    }
    let out = Term::stdout();
    let wide = as_table(&settings.effective);
    let fits = |line: &str| measure_text_width(line) <= usize::from(out.size().1);
    // A path that is broken over lines can be neither read nor copied; a pipe has no width.
    if !out.is_term() || wide.lines().all(fits) {
        output::data(&wide);
    } else {
        output::data(&as_lines(&settings.effective));
    }
    Ok(Exit::Ok)
}

fn as_table(settings: &[EffectiveSetting]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["SETTING", "VALUE", "SOURCE"]);
    for setting in settings {
        table.add_row([&*setting.key, &setting.value, &setting.source].map(on_one_line));
    }
    table.to_string()
}

fn as_lines(settings: &[EffectiveSetting]) -> String {
    let lines: Vec<String> = settings
        .iter()
        .map(|setting| {
            let [key, value, source] = [&*setting.key, &setting.value, &setting.source].map(on_one_line);
            format!("{key}\n  {value}\n  from: {source}")
        })
        .collect();
    lines.join("\n")
}
