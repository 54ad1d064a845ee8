//! The only place that prints. Data goes to stdout; everything said to the human goes to stderr.

use std::io::Write;

/// Prints data. A reader that went away (`vega status | head`) is no error.
pub(crate) fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints data as JSON.
pub(crate) fn data_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    data(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Says something to the human.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says what went wrong.
pub(crate) fn problem(text: &str) {
    let label = console::style("error:").for_stderr().red().bold();
    say(&format!("{label} {text}"));
}
