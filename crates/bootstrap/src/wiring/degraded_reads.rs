//! Tokens for programs when the database does not open: those that can still be read from the database or its spool.

use vega_domain::ids::ApiName;
use vega_domain::ports::Clock;
use vega_domain::token::StoredToken;
use vega_persistence::tokens_without_opening;

use crate::machine::clock::SystemClock;
use crate::settings::Settings;

/// The token of `api`, if a program may have it now and it was made for the app and the person that are configured now.
pub async fn token_without_opening(settings: &Settings, api: &ApiName) -> Option<StoredToken> {
    let now = SystemClock::new().now();
    let tokens = tokens_without_opening(&settings.database_url, &settings.key_source).await?;
    let (account, app) = settings.accounts.find(api)?;
    tokens
        .into_iter()
        .find(|token| token.fits(account, app) && token.is_servable(now))
}
