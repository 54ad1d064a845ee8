//! `vega watch`: how the tokens stand, a line of JSON for each, and one more whenever one changes, whichever process changed it. Goes on
//! through restarts of the server and while the database is away: it follows the stored tokens itself.

use std::collections::HashMap;

use secrecy::zeroize::Zeroizing;
use vega_api_types::{TokenStateView, WatchedTokenView};
use vega_bootstrap::Vega;
use vega_domain::ids::ApiName;

use crate::command_error::CommandError;
use crate::command_line::program_arguments::Watch;
use crate::exit::Exit;
use crate::stop::Stop;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Watch, stop: &Stop) -> Result<Exit, CommandError> {
    // There is nothing that has to end well.
    stop.leave_to_the_run();
    tokio::select! {
        never = vega.follow_tokens() => match never {},
        ended = tell(vega, wanted) => ended,
        () = stop.asked(1) => Ok(Exit::Ok),
    }
}

/// Tells until nobody reads.
async fn tell(vega: &Vega, wanted: &Watch) -> Result<Exit, CommandError> {
    let configured = vega.settings.accounts.apis().map(|(_, api)| api.name.clone());
    let apis: Vec<ApiName> = match &*wanted.apis {
        [] => configured.collect(),
        named => named.to_vec(),
    };
    let mut changes = vega.registry.subscribe();
    let mut told: HashMap<&ApiName, String> = HashMap::new();
    loop {
        // Before the look, so that no change falls between the two.
        changes.borrow_and_update();
        for api in &apis {
            let (version, line) = line(vega, api, wanted.with_token)?;
            if told.get(api) != Some(&version) {
                if !output::line(&line) {
                    return Ok(Exit::Ok);
                }
                told.insert(api, version);
            }
        }
        // The registry lives as long as Vega.
        let _ = changes.changed().await;
    }
}

/// What is told of an API now, and what tells it from all that may be told of it later.
fn line(vega: &Vega, api: &ApiName, with_token: bool) -> Result<(String, Zeroizing<String>), CommandError> {
    let there = vega.registry.read(api, |hot| {
        let token = hot.token();
        let state = TokenStateView::with(api.as_str(), token, hot.version());
        let access_token = with_token.then(|| token.access_token.expose());
        let line = WatchedTokenView { state, access_token };
        (hot.version().to_owned(), written(&line))
    });
    let (version, line) = there.unwrap_or_else(|| {
        let state = TokenStateView::without(api.as_str(), None);
        let line = WatchedTokenView {
            state,
            access_token: None,
        };
        (String::new(), written(&line))
    });
    Ok((version, line?))
}

fn written(line: &WatchedTokenView) -> Result<Zeroizing<String>, serde_json::Error> {
    serde_json::to_string(line).map(Zeroizing::new)
}
