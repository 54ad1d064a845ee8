//! Rebuilds the dashboard whenever one of its sources changes: events, the token cache, prompts, run requests, the
//! database, or a deadline. What is shown and broadcast is decided in `dashboard`.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;
use vega_domain::event::Event;
use vega_domain::expiry::closed_hours;
use vega_domain::ports::{StoreError, TokenChanges};

use crate::server::Server;
use crate::state::current_run;
use crate::state::dashboard::Dashboard;
use crate::state::prompt_view::{has_window, views_of};
use vega_api_types::Snapshot;
use vega_api_types::{AccountView, ApiView};

/// How often deadlines are checked: statuses and cooldowns end by time alone.
const DEADLINE_CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// After a failed read of the database.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Keeps the dashboard up to date for as long as the server lives.
pub(crate) async fn keep_current(server: &Server) -> Infallible {
    let mut events = server.vega.listen();
    let mut tokens = server.vega.registry.subscribe();
    let mut prompts = server.prompts.changes();
    let mut requests = server.requests.changes();
    let changes = server.vega.changes();
    let mut another = changes.changed();
    let mut timer = tokio::time::interval(DEADLINE_CHECK_INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_stale = false;
    loop {
        tokio::select! {
            event = events.recv() => {
                if let Ok(event) = event {
                    server.dashboard.apply(event);
                }
            }
            _ = tokens.changed() => {}
            _ = prompts.changed() => {}
            _ = requests.changed() => {}
            () = &mut another => another = changes.changed(),
            _ = timer.tick() => {
                let next = server.dashboard.next_deadline();
                if !is_stale && next.is_none_or(|next| next > server.vega.clock.now()) {
                    continue;
                }
            }
        }
        let refreshed = refresh(&server.dashboard, &mut events, async || read(server).await).await;
        if let Err(error) = refreshed {
            tracing::error!(%error, "the database does not say how things stand; hot tokens are served on");
            // One failure may be momentary.
            if is_stale {
                server.dashboard.mark_stale();
            }
            is_stale = true;
            tokio::time::sleep(RETRY_DELAY).await;
        } else {
            is_stale = false;
        }
    }
}

/// Rebuilds the dashboard. Events that arrived during the read are applied first, so that no step is left out; then the
/// database is read again, so that none goes back.
async fn refresh(
    dashboard: &Dashboard,
    events: &mut broadcast::Receiver<Event>,
    read: impl AsyncFn() -> Result<(Snapshot, Option<DateTime<Utc>>), StoreError>,
) -> Result<(), StoreError> {
    loop {
        let (snapshot, next) = read().await?;
        let mut has_changed = false;
        loop {
            match events.try_recv() {
                Ok(event) => has_changed |= dashboard.apply(event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        if !has_changed {
            dashboard.replace(&snapshot, next);
            return Ok(());
        }
    }
}

/// Reads a snapshot and its earliest deadline.
pub(crate) async fn read(server: &Server) -> Result<(Snapshot, Option<DateTime<Utc>>), StoreError> {
    let vega = &server.vega;
    let overview = vega.stored.overview.all().await?;
    let allowances = vega.stored.overview.allowances(&overview.now).await?;
    let now = overview.now.at;
    let closed = closed_hours(now);
    let snapshot = Snapshot {
        v: 1,
        apis: ApiView::all(&overview),
        accounts: AccountView::all(&overview, &allowances),
        run: current_run::current(server).await?,
        prompts: views_of(&server.prompts, now, has_window(&vega.settings)),
        // Shown by `shown_consumers`.
        consumers: Vec::new(),
        closed_from_unix: closed.start.timestamp(),
        closed_until_unix: closed.end.timestamp(),
        now_unix: 0,
    };
    let deadlines = [overview.next_deadline(), allowances.next_deadline(&overview.now)];
    Ok((snapshot, deadlines.into_iter().flatten().min()))
}

/// Fills the dashboard before the server listens.
pub(crate) async fn fill(server: &Server) -> Result<(), StoreError> {
    let (snapshot, next) = read(server).await?;
    server.dashboard.replace(&snapshot, next);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use vega_domain::ids::{AccountId, ApiName, RunId};
    use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};

    use super::*;
    use vega_api_types::RunView;

    fn api() -> ApiName {
        ApiName::new("PRIMARY").unwrap()
    }

    /// What the database says while the one step of its run is in this state.
    pub(crate) fn with_step_in(run: RunId, state: StepState) -> Snapshot {
        let record = RunRecord {
            id: run,
            state: RunState::Running,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            steps: vec![StepRecord {
                api: api(),
                account: AccountId::new("default").unwrap(),
                state,
            }],
        };
        Snapshot {
            v: 1,
            apis: Vec::new(),
            accounts: Vec::new(),
            run: Some(RunView::stored(&record)),
            prompts: Vec::new(),
            consumers: Vec::new(),
            closed_from_unix: 0,
            closed_until_unix: 0,
            now_unix: 0,
        }
    }

    /// The database is read, then the step moves on twice, and only then its answer is shown.
    #[tokio::test]
    async fn every_step_is_told_and_none_goes_back() {
        let (dashboard, run) = (Dashboard::new(), RunId::at(DateTime::UNIX_EPOCH));
        dashboard.replace(&with_step_in(run, StepState::Exchanging), None);
        let (_, mut frames) = dashboard.subscribe(DateTime::UNIX_EPOCH).unwrap();
        let (tell, mut told) = broadcast::channel(8);
        let reads = AtomicUsize::new(0);
        let read = async || {
            if reads.fetch_add(1, Ordering::Relaxed) > 0 {
                return Ok((with_step_in(run, StepState::Done), None));
            }
            for state in [StepState::Verifying, StepState::Done] {
                let api = api();
                tell.send(Event::StepChanged { run, api, state }).unwrap();
            }
            Ok((with_step_in(run, StepState::Exchanging), None))
        };
        refresh(&dashboard, &mut told, read).await.unwrap();
        let mut states = Vec::new();
        while let Ok(frame) = frames.try_recv() {
            let data: serde_json::Value = serde_json::from_str(&frame.data).unwrap();
            states.push((frame.event, data["state"].as_str().unwrap().to_owned()));
        }
        assert_eq!(
            states,
            [("step", "verifying".to_owned()), ("step", "done".to_owned())]
        );
    }
}
