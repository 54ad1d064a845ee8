//! `vega adopt`: takes over a token that the operator copied from Upstox's own page. Decides where it is read from, and that a run which
//! signs in for the same API goes first; whether it is taken is decided in `services`.

use vega_bootstrap::{Adopted, AdoptionError, GivenToken, SigningIn, Vega, claims_of};
use vega_domain::expiry::in_ist;
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::ports::StoreError;
use vega_domain::run::RunRecord;

use crate::command_error::CommandError;
use crate::command_line::token_arguments::Adopt;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, terminal: &Terminal, wanted: &Adopt) -> Result<Exit, CommandError> {
    match (&wanted.of.api, &wanted.of.analytics) {
        (_, Some(account)) => of_account(vega, terminal, account).await,
        (Some(api), None) => of_api(vega, terminal, api).await,
        (None, None) => Ok(Exit::Usage),
    }
}

async fn of_api(vega: &Vega, terminal: &Terminal, name: &ApiName) -> Result<Exit, CommandError> {
    let Some((account, api)) = vega.settings.accounts.find(name) else {
        output::problem(&format!("no API {name} is configured"));
        return Ok(Exit::Usage);
    };
    if let Some(exit) = signs_in(vega, name).await? {
        return Ok(exit);
    }
    let question = format!("The day's token of {name}, as Upstox's page shows it");
    let given = match given(terminal, &question).await? {
        Ok(given) => given,
        Err(exit) => return Ok(exit),
    };
    // Whoever looks for the token takes a while.
    if let Some(exit) = signs_in(vega, name).await? {
        return Ok(exit);
    }
    let adopted = vega.adoption.adopt(account, api, given).await;
    Ok(told(&format!("{name} generation"), &adopted))
}

/// Says it where a run is about to bring a token of this API, which would end the one that is given; then what the command ends with.
async fn signs_in(vega: &Vega, name: &ApiName) -> Result<Option<Exit>, CommandError> {
    let signing_in = vega.stored.signing_in().await?;
    let is_to_come = |run: &RunRecord| {
        let mut steps = run.steps.iter();
        steps.any(|step| step.api == *name && !step.state.is_final())
    };
    let problem = match &signing_in {
        SigningIn::Run(run) if is_to_come(run) => format!(
            "the run that began at {} IST signs in for {name}. Wait for its end, or end it with `vega cancel`",
            in_ist(run.started_at).format("%H:%M")
        ),
        SigningIn::Busy(holder) => format!("another Vega is about to sign in: {holder}. Wait for its end"),
        SigningIn::Run(_) | SigningIn::CutOff(_) | SigningIn::Nobody => return Ok(None),
    };
    output::problem(&problem);
    Ok(Some(Exit::NotAllowed))
}

async fn of_account(vega: &Vega, terminal: &Terminal, id: &AccountId) -> Result<Exit, CommandError> {
    let Some(account) = vega.settings.accounts.account(id) else {
        let names: Vec<&str> = vega
            .settings
            .accounts
            .iter()
            .map(|account| account.id.as_str())
            .collect();
        output::problem(&format!(
            "no account {id} is configured. There are {}",
            names.join(", ")
        ));
        return Ok(Exit::Usage);
    };
    let question = format!("The analytics token of account {id}, as Upstox's page shows it");
    let given = match given(terminal, &question).await? {
        Ok(given) => given,
        Err(exit) => return Ok(exit),
    };
    let adopted = vega.adoption.adopt_analytics(account, given).await;
    Ok(told(
        &format!("the analytics token of account {id}, generation"),
        &adopted,
    ))
}

/// What was typed or piped in; else what the command ends with, and why was told.
async fn given(terminal: &Terminal, question: &str) -> Result<Result<GivenToken, Exit>, CommandError> {
    Ok(match terminal.token(question).await? {
        Ok(token) => {
            let claims = claims_of(&token);
            Ok(GivenToken { token, claims })
        }
        Err((exit, problem)) => {
            output::problem(&problem);
            Err(exit)
        }
    })
}

fn told(what: &str, adopted: &Result<Adopted, AdoptionError>) -> Exit {
    match adopted {
        Ok(adopted) => {
            let until = in_ist(adopted.valid_until).format("%d %b %Y %H:%M");
            let generation = adopted.generation;
            output::say(&if adopted.was_there {
                format!("Vega has it already: {what} {generation}, until {until} IST.")
            } else {
                format!("Upstox takes it. It is {what} {generation}, until {until} IST; programs get it now.")
            });
            Exit::Ok
        }
        Err(error) => {
            output::problem(&error.to_string());
            exit_of(error)
        }
    }
}

fn exit_of(error: &AdoptionError) -> Exit {
    match error {
        AdoptionError::OnlyReads { .. }
        | AdoptionError::OfTheDay { .. }
        | AdoptionError::OfTheDayOrEnding { .. }
        | AdoptionError::OfAnother(_)
        | AdoptionError::Strangers { .. } => Exit::Usage,
        AdoptionError::Over { .. } | AdoptionError::Dead | AdoptionError::Revoked(_) => Exit::HumanNeeded,
        AdoptionError::Unknown(_) => Exit::Unreachable,
        AdoptionError::Store(StoreError::Conflict(_)) => Exit::NotAllowed,
        AdoptionError::Nobodys(_) | AdoptionError::Store(_) => Exit::Preflight,
    }
}
