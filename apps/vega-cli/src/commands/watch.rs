//! `vega watch`: how the tokens stand, a line of JSON for each, and one more whenever one changes, whichever process changed it. Goes on
//! through restarts of the server and while the database is away: the feed sees to that.

use std::collections::HashMap;

use secrecy::zeroize::Zeroizing;
use vega_api_types::{TokenStateView, WatchedTokenView};
use vega_domain::ids::ApiName;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::stop::Stop;
use crate::terminal::output;
use crate::token_feed::TokenFeed;

pub(crate) async fn run(feed: &TokenFeed, stop: &Stop) -> Result<Exit, CommandError> {
    let ended = tokio::select! {
        failed = feed.follow() => failed.map(|never| match never {}),
        ended = tell(feed) => ended,
        // There is nothing that has to end well.
        () = stop.asked(1) => Ok(Exit::Ok),
    };
    feed.close().await;
    ended
}

/// Tells until nobody reads.
async fn tell(feed: &TokenFeed) -> Result<Exit, CommandError> {
    let mut changes = feed.subscribe();
    let mut told: HashMap<&ApiName, String> = HashMap::new();
    feed.first_answers().await;
    loop {
        // Before the look, so that no change falls between the two.
        changes.are_seen();
        for api in feed.apis() {
            let (version, line) = line(feed, api)?;
            if told.get(api) != Some(&version) {
                if !output::line(&line) {
                    return Ok(Exit::Ok);
                }
                told.insert(api, version);
            }
        }
        changes.next().await;
    }
}

/// What is told of an API now, and what tells it from all that may be told of it later.
fn line(feed: &TokenFeed, api: &ApiName) -> Result<(String, Zeroizing<String>), CommandError> {
    let held = feed.held(api);
    let (version, state) = match &held {
        Some(held) => (
            format!("{} {}", held.kind, held.version),
            TokenStateView::of(
                api.as_str(),
                held.kind,
                held.generation,
                &held.version,
                held.valid_until,
            ),
        ),
        None => (String::new(), TokenStateView::without(api.as_str(), None)),
    };
    let token = held.as_ref().and_then(|held| held.token.as_ref());
    let line = WatchedTokenView {
        state,
        access_token: token.map(|token| token.access_token.expose()),
    };
    Ok((version, serde_json::to_string(&line).map(Zeroizing::new)?))
}
