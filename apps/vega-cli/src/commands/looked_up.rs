//! The answers that need no more than a look at what is stored. Decides when a look will do: a database that needs no
//! preparation, and nothing in it that has to be told or put on record. Everything else is answered by all of Vega.

use vega_bootstrap::{PortDecorator, Settings, StoredState};

use crate::command_line::arguments::Command;
use crate::command_line::program_arguments::Token;
use crate::commands::{status, token};
use crate::exit::Exit;
use crate::program_token::ProgramToken;

/// Whether this command may be answered by a look.
pub(crate) fn may_be_looked_up(command: &Command) -> bool {
    match command {
        Command::Status(_) => true,
        Command::Token(wanted) => wanted.rejected.is_none(),
        _ => false,
    }
}

/// The answer of a command that `may_be_looked_up`; `None` where a look will not do, and nothing was answered.
pub(crate) async fn answer(
    settings: &Settings,
    command: &Command,
    decorator: &dyn PortDecorator,
) -> Option<Exit> {
    let stored = StoredState::open(settings, decorator).await?;
    let answered = match command {
        Command::Status(wanted) => of_status(&stored, wanted.json).await,
        Command::Token(wanted) => of_token(&stored, wanted).await,
        _ => None,
    };
    stored.close().await;
    answered
}

async fn of_token(stored: &StoredState, wanted: &Token) -> Option<Exit> {
    let now = stored.clock.now();
    let first = stored.token(&wanted.api, wanted.kind.wanted()).await.ok()??;
    let first = ProgramToken::of(&wanted.api, &first);
    let other = match token::instead(&first, wanted, now) {
        Some(kind) => stored.token(&wanted.api, kind).await.ok()?,
        None => None,
    };
    let token = other.map_or(first, |other| ProgramToken::of(&wanted.api, &other));
    token::give(&token, wanted, None, now).ok()
}

async fn of_status(stored: &StoredState, json: bool) -> Option<Exit> {
    if !stored.is_undamaged().await {
        return None;
    }
    let findings = stored.findings().await.ok()?;
    if !findings.are_none() {
        return None;
    }
    status::run(stored, findings, json).await.ok()
}
