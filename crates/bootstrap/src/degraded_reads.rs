//! Tokens for programs when the database does not open: those that it or its spool still gives.

use vega_domain::ids::ApiName;
use vega_domain::ports::Clock;
use vega_domain::token::StoredToken;
use vega_persistence::tokens_without_opening;

use crate::clock::SystemClock;
use crate::settings::Settings;

/// The token of `api`, if a program may have it now and it was made for the app and the person that are configured now.
pub async fn token_without_opening(settings: &Settings, api: &ApiName) -> Option<StoredToken> {
    let now = SystemClock::new().now();
    let tokens = tokens_without_opening(&settings.database_url, &settings.key_source).await?;
    let mut configured = settings
        .accounts
        .iter()
        .flat_map(|account| account.apis.iter().map(move |api| (account, api)));
    let (account, app) = configured.find(|(_, app)| app.name == *api)?;
    tokens.into_iter().find(|token| {
        let is_the_persons = account.user_id.as_ref().is_none_or(|user| *user == token.user_id);
        token.api == *api && token.client_id == app.client_id && is_the_persons && token.is_servable(now)
    })
}
