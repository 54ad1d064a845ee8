//! Keeps the consumers on the dashboard as they stand, by what was seen of them and by each API's newest token. How they are seen is decided in
//! `services`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use vega_api_types::ConsumerView;
use vega_domain::ids::{AccountId, ApiName, Generation};

use crate::server::Server;

/// A desk that moves to a new token is shown in so many steps, and not in one for each program.
const AT_MOST_EVERY: Duration = Duration::from_millis(500);
/// Who is away is so by time alone.
const BY_TIME: Duration = Duration::from_mins(1);

/// For as long as the server lives.
pub(crate) async fn keep_current(server: &Server) -> Infallible {
    let mut seen = server.vega.consumers.subscribe();
    let mut tokens = server.dashboard.changes();
    let mut timer = interval(BY_TIME);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Before the look, so that no change falls between the two.
        seen.borrow_and_update();
        tokens.borrow_and_update();
        show(server);
        sleep(AT_MOST_EVERY).await;
        tokio::select! {
            _ = seen.changed() => {}
            _ = tokens.changed() => {}
            _ = timer.tick() => {}
        }
    }
}

/// As they stand now.
pub(crate) fn show(server: &Server) {
    server.dashboard.show_consumers(views(server));
}

/// Every consumer that this server knows, by name and API.
pub(crate) fn views(server: &Server) -> Vec<ConsumerView> {
    let now = server.vega.clock.now();
    let newest: HashMap<String, Generation> = server.dashboard.look(|shown| {
        let apis = shown.apis.iter().map(|api| (api.api.clone(), api.generation));
        let analytics = shown.accounts.iter().filter_map(|account| {
            let name = ApiName::of_analytics(&AccountId::new(&*account.account).ok()?);
            Some((name.to_string(), account.analytics.as_ref()?.generation))
        });
        apis.chain(analytics)
            .filter_map(|(name, newest)| Some((name, Generation::new(newest?).ok()?)))
            .collect()
    });
    let known = server.vega.consumers.known().into_iter();
    known
        .map(|known| {
            let newest = newest.get(known.seen.api.as_str()).copied();
            ConsumerView::of(
                &known.seen,
                newest,
                known.is_connected,
                known.stop.as_deref(),
                now,
            )
        })
        .collect()
}
