//! The files that hold tokens, for people: a table, and a line for each that somebody has to look after.

use comfy_table::{ContentArrangement, Table, presets};
use vega_bootstrap::FileOverview;
use vega_domain::expiry::in_ist;
use vega_domain::file_delivery::{DeliveryFailure, FileStanding};

/// One line for each file.
pub(crate) fn files(files: &[FileOverview]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["FILE", "API", "FORMAT", "STATE", "GENERATION", "SINCE (IST)"]);
    for file in files {
        let delivery = file.delivery.as_ref();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        table.add_row([
            file.file.path.display().to_string(),
            file.file.api.to_string(),
            file.file.format.name().to_owned(),
            state(file.standing).to_owned(),
            or_dash(delivery.map(|delivery| delivery.generation.to_string())),
            or_dash(delivery.map(|delivery| in_ist(delivery.since).format("%d %b %H:%M").to_string())),
        ]);
    }
    table.to_string()
}

fn state(standing: FileStanding) -> &'static str {
    match standing {
        FileStanding::Current => "current",
        FileStanding::Behind => "behind",
        FileStanding::NoToken => "no token",
    }
}

/// What is wrong with a file, and what helps.
pub(crate) fn file_problems(file: &FileOverview) -> Vec<String> {
    let path = file.file.path.display();
    let delivery = file.delivery.as_ref();
    let failed = delivery.and_then(|delivery| delivery.failed.as_ref());
    let mut problems = Vec::new();
    if file.standing == FileStanding::Behind {
        problems.push(match (failed, file.served) {
            (Some(failed), _) => {
                let at = in_ist(failed.at).format("%H:%M:%S");
                let tries = failed.tries;
                let words = with_advice(&failed.failure);
                format!("{path} is behind since {tries} failed tries, the last one at {at} IST: {words}")
            }
            (None, Some(served)) => format!(
                "{path} does not have generation {served} yet. A server delivers it, or the next command that gets tokens"
            ),
            (None, None) => format!(
                "{path} may hold a dead token. A server removes it, or the next command that gets tokens; or remove it by hand"
            ),
        });
    }
    let is_told =
        |obstacle: &&DeliveryFailure| failed.is_none_or(|failed| failed.failure.problem != obstacle.problem);
    if let Some(obstacle) = file.obstacle.as_ref().filter(is_told) {
        problems.push(format!("{path} would be refused: {}", with_advice(obstacle)));
    }
    problems
}

fn with_advice(failure: &DeliveryFailure) -> String {
    format!("{failure}. {}", failure.problem.advice())
}
