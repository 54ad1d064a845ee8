//! `vega cooldown`: which accounts are closed, until when and why; and the operator's word that opens one.

use vega_api_types::ClosedAccountsView;
use vega_bootstrap::Vega;
use vega_domain::ids::AccountId;
use vega_domain::plan::ForceReason;

use crate::command_error::CommandError;
use crate::command_line::arguments::{Clear, Cooldown};
use crate::command_line::suggestion::{alike, did_you_mean, some_of};
use crate::exit::Exit;
use crate::report;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Cooldown) -> Result<Exit, CommandError> {
    if let Some(Clear::Clear { account, reason }) = &wanted.clear
        && let Some(refused) = clear(vega, account, reason).await?
    {
        return Ok(refused);
    }
    let (closed, now) = (vega.stored.cooldowns.closed().await?, vega.clock.reading());
    if wanted.json {
        output::data_json(&ClosedAccountsView::of(&closed, &now))?;
        return Ok(Exit::Ok);
    }
    if closed.is_empty() {
        output::say("No account is closed.");
    }
    for closed in &closed {
        output::data(&report::closed(closed, &now));
    }
    Ok(Exit::Ok)
}

async fn clear(vega: &Vega, account: &AccountId, reason: &ForceReason) -> Result<Option<Exit>, CommandError> {
    if vega.settings.accounts.account(account).is_none() {
        let known: Vec<&str> = vega
            .settings
            .accounts
            .iter()
            .map(|known| known.id.as_str())
            .collect();
        let meant = alike(account.as_str(), known.iter().copied());
        let meant: Vec<String> = meant.into_iter().map(str::to_owned).collect();
        output::problem(&format!(
            "account {account} is not configured. {}Known are: {}",
            did_you_mean(&meant),
            some_of(&known)
        ));
        return Ok(Some(Exit::Usage));
    }
    // What a dead process saw closes the account now, not after the operator has opened it.
    vega.orchestrator.clear_up().await?;
    let why = format!("cleared by the operator: {reason}");
    match vega.stored.cooldowns.of(account).await? {
        Some(closed) if vega.stored.cooldowns.open(&closed, &why).await? => {
            output::say(&format!("Account {account} is open again."));
        }
        // Whoever opened it first did what was wanted.
        _ => output::say(&format!("Account {account} is not closed.")),
    }
    Ok(None)
}
