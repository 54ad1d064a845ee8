//! `vega revoke API`: takes a token from all programs before its time, and logs it out at Upstox.

use vega_bootstrap::{Revocation, Vega};
use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::ports::Answer;

use crate::command_error::CommandError;
use crate::command_line::token_arguments::Revoke;
use crate::commands::audit::undone_by_an_older_file;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, terminal: &Terminal, wanted: &Revoke) -> Result<Exit, CommandError> {
    let (name, called, question) = match (&wanted.of.api, &wanted.of.analytics) {
        (_, Some(account)) => (
            ApiName::of_analytics(account),
            format!("Account {account} has no analytics token"),
            format!("Revoke the analytics token of account {account}? Programs lose it at once."),
        ),
        (Some(api), None) => (
            api.clone(),
            format!("{api} has no token"),
            format!("Revoke the token of {api}? Programs lose it at once, and a new one takes a sign-in."),
        ),
        (None, None) => return Ok(Exit::Usage),
    };
    match terminal.is_meant(&question).await {
        Answer::Yes | Answer::StandingYes => {}
        Answer::No => {
            output::say("Nothing was revoked.");
            return Ok(Exit::NotAllowed);
        }
        Answer::NobodyToAsk => {
            output::problem(
                "nobody can be asked whether that is meant, so nothing was revoked. --yes says it is",
            );
            return Ok(Exit::HumanNeeded);
        }
    }
    let Some(revocation) = vega.revocation.revoke(&name).await? else {
        output::say(&format!("{called} that lives. Nothing was revoked."));
        return Ok(Exit::Ok);
    };
    output::say(&here(&revocation));
    let undone = undone_by_an_older_file(vega.maintenance.missing_checkpoint().await);
    match &revocation.logout {
        Ok(()) if name.is_of_analytics() => {
            output::say(&format!(
                "At Upstox it lives until {} IST: end it there, on the page on which it was made.",
                in_ist(revocation.valid_until).format("%d %b %Y %H:%M")
            ));
            Ok(undone.unwrap_or(Exit::Ok))
        }
        Ok(()) => {
            output::say("Upstox has logged it out. `vega` signs in for a new one.");
            Ok(undone.unwrap_or(Exit::Ok))
        }
        Err(failure) => {
            let end = in_ist(revocation.valid_until);
            output::problem(&format!(
                "it could not be logged out at Upstox, so whoever has it may use it until {} IST: {failure}. Run the same \
                 command again to try once more",
                end.format("%d %b %H:%M")
            ));
            Ok(Exit::Unreachable)
        }
    }
}

fn here(revocation: &Revocation) -> String {
    let (api, generation) = (&revocation.api, revocation.generation);
    if revocation.was_refused {
        format!("The token of {api} (generation {generation}) was unusable already.")
    } else {
        format!(
            "The token of {api} (generation {generation}) is revoked: no program gets it from Vega any more."
        )
    }
}
