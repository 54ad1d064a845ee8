//! `vega files`: the files that hold tokens for programs, and how each stands. Delivers nothing: a server does that, or the command that
//! brought a token.

use vega_api_types::{FileView, FilesView};
use vega_bootstrap::{FileOverview, Inspection, Round, Vega};

use crate::command_error::CommandError;
use crate::command_line::arguments::Command;
use crate::command_line::program_arguments::Files;
use crate::exit::Exit;
use crate::report;
use crate::stop::Stop;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Files) -> Result<Exit, CommandError> {
    let files = vega.files.overview(Inspection::OfPlaces).await?;
    let exit = if files.iter().any(FileOverview::is_behind) {
        Exit::Partial
    } else {
        Exit::Ok
    };
    if wanted.json {
        let files = files.iter().map(view).collect();
        output::data_json(&FilesView { v: 1, files })?;
        return Ok(exit);
    }
    if files.is_empty() {
        output::say("No files are configured: [[files]] in vega.toml names them.");
        return Ok(exit);
    }
    output::data(&report::files(&files));
    for file in &files {
        for words in report::file_problems(file) {
            output::problem(&words);
        }
    }
    Ok(exit)
}

fn view(file: &FileOverview) -> FileView {
    let (delivery, obstacle) = (file.delivery.as_ref(), file.obstacle.as_ref());
    FileView::of(&file.file, file.standing, file.served, delivery, obstacle)
}

/// Whether a command may leave other tokens than it found.
pub(crate) fn may_change_tokens(command: &Command) -> bool {
    match command {
        Command::Generate(_)
        | Command::Resume(_)
        | Command::Verify(_)
        | Command::Adopt(_)
        | Command::Revoke(_) => true,
        Command::Token(wanted) => wanted.rejected.is_some(),
        _ => false,
    }
}

/// Brings the files up to date after such a command, unless a server does that. What the command ends with stays.
pub(crate) async fn bring_up_to_date(vega: &Vega, stop: &Stop) {
    let round = tokio::select! {
        round = vega.files.deliver_once() => round,
        () = stop.asked(1) => return,
    };
    match round {
        Ok(Round::NoFiles | Round::Elsewhere | Round::Made { behind: 0 }) => {}
        Ok(Round::Made { behind }) => {
            let (files, are) = if behind == 1 {
                ("file", "is")
            } else {
                ("files", "are")
            };
            output::warning(&format!(
                "{behind} {files} of [[files]] {are} behind: `vega files` says why. A server goes on trying"
            ));
        }
        Err(error) => output::warning(&format!("no file of [[files]] was brought up to date: {error}")),
    }
}
