//! `vega token` at the server's socket: what the server answers is printed as what is stored would be. Decides when that is the end of it,
//! and when what is stored has to be asked as well.

use std::sync::Arc;

use vega_api_types::codes::TokenAnswer;
use vega_bootstrap::{PortDecorator, ServerAtSocket, Settings, SystemClock};
use vega_domain::ids::Generation;

use super::{IS_ALIVE, Reported, give, instead, is_older_than};
use crate::command_error::CommandError;
use crate::command_line::program_arguments::Token;
use crate::exit::Exit;
use crate::server::Server;
use crate::server::not_given::{NotGiven, Refused};
use crate::terminal::output;

/// What came of asking the server.
pub(crate) enum Asked {
    /// The command is done.
    Done(Exit),
    /// There is no token. What is stored has more words for it.
    NoToken(Refused),
    /// Nobody answered who counts, for this cause: what is stored is asked.
    Nobody(String),
}

/// Asks the server of this installation, if it has a socket.
pub(crate) async fn of_installation(
    settings: &Settings,
    wanted: &Token,
    decorator: &dyn PortDecorator,
) -> Result<Asked, CommandError> {
    match ServerAtSocket::of_installation(settings) {
        Some(server) => ask(&Server::at(server), wanted, decorator).await,
        None => Ok(Asked::Nobody(String::new())),
    }
}

/// Asks the server of another user's installation, which nobody stands in for.
pub(crate) async fn of_another_user(
    server: ServerAtSocket,
    wanted: &Token,
    decorator: &dyn PortDecorator,
) -> Result<Exit, CommandError> {
    let (words, exit) = match ask(&Server::at(server), wanted, decorator).await? {
        Asked::Done(exit) => return Ok(exit),
        Asked::NoToken(refused) => (refused.words.clone(), refused.exit()),
        Asked::Nobody(why) => (why, Exit::Preflight),
    };
    output::problem(&words);
    Ok(exit)
}

async fn ask(server: &Server, wanted: &Token, decorator: &dyn PortDecorator) -> Result<Asked, CommandError> {
    let answer = match wanted.rejected {
        None => None,
        Some(reported) => match report(server, wanted, reported).await {
            Ok(Reported::Answer(answer)) => Some(answer),
            Ok(Reported::NoToken(exit)) => return Ok(Asked::Done(exit)),
            Err(none) => return Ok(end_of(none)),
        },
    };
    let clock = decorator.clock(Arc::new(SystemClock::new()));
    let now = clock.now();
    match server.token(&wanted.api, wanted.kind.wanted()).await {
        Ok(given) => {
            let other = match instead(&given.token, wanted, now) {
                Some(kind) => server.token(&wanted.api, kind).await.ok(),
                None => None,
            };
            let token = other.unwrap_or(given).token;
            give(&token, wanted, answer, now).map(Asked::Done)
        }
        Err(none) => Ok(end_of(none)),
    }
}

fn end_of(none: NotGiven) -> Asked {
    match none {
        NotGiven::Refused(refused) if refused.is_of_the_token() => Asked::NoToken(refused),
        NotGiven::Refused(refused) => {
            output::problem(&refused.words);
            Asked::Done(refused.exit())
        }
        NotGiven::NotAsked(why) => Asked::Nobody(why),
    }
}

/// Says that Upstox refuses a token.
async fn report(server: &Server, wanted: &Token, reported: Generation) -> Result<Reported, NotGiven> {
    let (api, kind) = (&wanted.api, wanted.kind.wanted());
    let report = server.report(api, wanted.kind.reported(), reported).await?;
    let (words, comes_to) = match report.answer {
        TokenAnswer::Alive => (IS_ALIVE.to_owned(), Reported::Answer(TokenAnswer::Alive)),
        TokenAnswer::Newer => (
            is_older_than(report.newest_generation),
            Reported::Answer(TokenAnswer::Newer),
        ),
        TokenAnswer::Dead => match server.token(api, kind).await {
            // It came a moment later.
            Ok(given) => (
                is_older_than(given.token.generation),
                Reported::Answer(TokenAnswer::Newer),
            ),
            Err(NotGiven::Refused(refused)) => (
                format!("dead. {}", refused.words),
                Reported::NoToken(refused.exit()),
            ),
            Err(NotGiven::NotAsked(_)) => (
                "dead. Run `vega` to sign in".to_owned(),
                Reported::NoToken(Exit::HumanNeeded),
            ),
        },
        TokenAnswer::Unknown => {
            let why = report
                .failure
                .map(|failure| failure.with_advice())
                .unwrap_or_default();
            (format!("kept: {why}"), Reported::NoToken(Exit::Unreachable))
        }
    };
    comes_to.tell(api, reported, &words);
    Ok(comes_to)
}
