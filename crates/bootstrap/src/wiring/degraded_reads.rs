//! Wires the token of a program when the database does not open: `persistence` reads what it can, `services` chooses what
//! may be handed out.

use vega_domain::ids::ApiName;
use vega_domain::ports::Clock;
use vega_domain::token::StoredToken;
use vega_domain::token_kind::WantedKind;
use vega_persistence::tokens_without_opening;
use vega_services::servable_of;

use crate::machine::clock::SystemClock;
use crate::settings::Settings;

/// The first of the wanted tokens of `api` that a program may have now.
pub async fn token_without_opening(
    settings: &Settings,
    api: &ApiName,
    wanted: WantedKind,
) -> Option<StoredToken> {
    let now = SystemClock::new().now();
    let stored = tokens_without_opening(&settings.database_url, &settings.key_source).await?;
    servable_of(stored, &settings.accounts, api, wanted, now)
}
