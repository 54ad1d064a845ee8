//! `vega move URL`: the database in another place, and what has to be set then.

use vega_api_types::MoveView;
use vega_bootstrap::{Moved, PortDecorator, Settings, cancel_move, move_database};

use crate::command_error::CommandError;
use crate::command_line::arguments::Move;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(
    settings: &Settings,
    wanted: &Move,
    decorator: &dyn PortDecorator,
) -> Result<Exit, CommandError> {
    let Some(url) = &wanted.url else {
        cancel_move(settings, decorator).await?;
        output::say("The move is cancelled: the database counts here, as before.");
        return Ok(Exit::Ok);
    };
    let moved = move_database(settings, url, decorator).await?;
    if wanted.json {
        output::data_json(&report(&moved))?;
    } else {
        output::data(&told(&moved));
    }
    if let Some(fault) = &moved.fault {
        output::say(&format!(
            "warning: the audit trail is not whole, as before: {fault}"
        ));
    }
    for why in &moved.unreadable {
        output::say(&format!(
            "warning: {why}. It did not open before either, and stays as it is"
        ));
    }
    Ok(Exit::Ok)
}

fn told(moved: &Moved) -> String {
    let Moved { url, .. } = moved;
    format!(
        "The database is in {url} now: {} audit entries, and {} sealed values that were opened there.\n\
         Set VEGA__DATABASE__URL={url} on every machine, and start again what runs. What is left in the old place is refused from now \
         on; remove it when you need it no more.",
        moved.audit_entries, moved.opened
    )
}

fn report(moved: &Moved) -> MoveView {
    MoveView {
        v: 1,
        url: moved.url.clone(),
        audit_entries: moved.audit_entries,
        fault: moved.fault.as_ref().map(ToString::to_string),
        opened: moved.opened,
        unreadable: moved.unreadable.clone(),
    }
}
