//! What everybody may see, as it is now, and who is told when it changes: APIs, accounts, the run, open questions. It is made
//! anew whenever the database, the hot tokens, the desk or the time say so, and what differs is sent. No secret gets here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;
use utoipa::ToSchema;
use vega_domain::event::Event;
use vega_domain::expiry::closed_hours;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{StoreError, TokenChanges};
use vega_domain::run::StepState;
use vega_domain::sign_in::OtpAllowance;

use crate::api::prompts::{PromptView, PromptsView};
use crate::server::Server;
use crate::state::stream_event::{Frame, StepChange, StreamEvent};
use crate::views::run_view::RunView;
use crate::views::{AccountView, ApiView, ApisView};

/// A client that is so many changes behind is disconnected, and starts anew with a snapshot.
const KEPT_FOR_STREAMS: usize = 256;
/// How often the clock is looked at: a status and a cooldown end by time alone.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After a database that did not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// All of it, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Snapshot {
    v: u8,
    pub(crate) apis: Vec<ApiView>,
    pub(crate) accounts: Vec<AccountView>,
    /// The run that is under way, or the last one.
    pub(crate) run: Option<RunView>,
    pub(crate) prompts: Vec<PromptView>,
    /// When sign-ins are closed, now or next, in Unix seconds; every day at the same times. A force with its reason overrides it.
    pub(crate) closed_from_unix: i64,
    pub(crate) closed_until_unix: i64,
    /// The server's time in Unix seconds, for countdowns.
    pub(crate) now_unix: i64,
}

impl Snapshot {
    pub(crate) fn apis(&self) -> ApisView {
        ApisView {
            v: 1,
            apis: self.apis.clone(),
            accounts: self.accounts.clone(),
        }
    }
}

struct State {
    number: u64,
    /// The database did not say how things stand, twice in a row: what is shown may not be so any more.
    is_stale: bool,
    /// Dropping it ends every stream.
    frames: broadcast::Sender<Arc<Frame>>,
    snapshot: Snapshot,
    /// When something on it ends by time alone.
    next: Option<DateTime<Utc>>,
}

impl State {
    #[expect(clippy::needless_pass_by_value, reason = "an event is sent once")]
    fn send(&mut self, event: StreamEvent) {
        self.number += 1;
        // Fails when nobody listens.
        let _ = self.frames.send(Arc::new(Frame::of(self.number, &event)));
    }
}

/// The board.
pub(crate) struct Board {
    state: Mutex<State>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                number: 0,
                is_stale: false,
                frames: broadcast::Sender::new(KEPT_FOR_STREAMS),
                snapshot: Snapshot {
                    v: 1,
                    apis: Vec::new(),
                    accounts: Vec::new(),
                    run: None,
                    prompts: Vec::new(),
                    closed_from_unix: 0,
                    closed_until_unix: 0,
                    now_unix: 0,
                },
                next: None,
            }),
        }
    }

    /// What it shows now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state().snapshot.clone()
    }

    /// What it shows of the APIs and accounts now.
    pub(crate) fn apis(&self) -> ApisView {
        self.state().snapshot.apis()
    }

    /// What it shows now, and everything from then on; `None` while it is not known to be so.
    pub(crate) fn subscribe(&self, now: DateTime<Utc>) -> Option<(Frame, broadcast::Receiver<Arc<Frame>>)> {
        let state = self.state();
        if state.is_stale {
            return None;
        }
        let mut snapshot = state.snapshot.clone();
        snapshot.now_unix = now.timestamp();
        let first = Frame::of(state.number, &StreamEvent::Snapshot(snapshot));
        // Under the same lock, so that nothing falls between the two.
        Some((first, state.frames.subscribe()))
    }

    /// Ends every stream and begins none, until the database says again how things stand: nobody is to take old for true.
    fn go_stale(&self) {
        let mut state = self.state();
        state.is_stale = true;
        state.frames = broadcast::Sender::new(KEPT_FOR_STREAMS);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what is so now, and sends what differs.
    pub(crate) fn show(&self, new: &Snapshot, next: Option<DateTime<Utc>>) {
        let mut state = self.state();
        let old = std::mem::replace(&mut state.snapshot, new.clone());
        state.next = next;
        state.is_stale = false;
        for account in new.accounts.iter().filter(|new| !old.accounts.contains(new)) {
            state.send(StreamEvent::Cooldown(account.clone()));
        }
        if new.run != old.run
            && let Some(run) = &new.run
        {
            let before = old.run.filter(|old| old.id == run.id);
            for step in &run.steps {
                let known = before.as_ref().is_some_and(|before| before.steps.contains(step));
                if !known && before.is_some() {
                    state.send(StreamEvent::Step(StepChange::of(run, step)));
                }
            }
            if before.is_none_or(|before| before.without_steps() != run.without_steps()) {
                state.send(StreamEvent::Run(run.clone()));
            }
        }
        for api in new.apis.iter().filter(|new| !old.apis.contains(new)) {
            state.send(StreamEvent::Token(api.clone()));
        }
        if new.prompts != old.prompts {
            state.send(StreamEvent::Prompt(PromptsView::of(new.prompts.clone())));
        }
    }

    /// Takes note of an event; whether it moved what is shown.
    fn hear(&self, event: Event) -> bool {
        match event {
            Event::StepChanged { run, api, state } => {
                self.move_step(run, &api, &state);
                return true;
            }
            Event::RunEnded { state, .. } => {
                metrics::counter!("vega_runs_ended_total", "state" => state.as_str()).increment(1);
            }
            Event::OtpRequested { account, .. } => {
                metrics::counter!("vega_otp_presses_total", "account" => account.to_string()).increment(1);
            }
            _ => {}
        }
        false
    }

    /// Shows a step's move at once: by the time that the database is asked, it may have moved on.
    fn move_step(&self, run: RunId, api: &ApiName, to: &StepState) {
        let mut state = self.state();
        let Some(shown) = state.snapshot.run.as_mut() else {
            return;
        };
        if shown.run.as_deref() != Some(&run.to_string()) {
            return;
        }
        let Some(place) = shown.steps.iter().position(|step| step.api == api.as_str()) else {
            return;
        };
        let before = shown.steps[place].clone();
        shown.steps[place].move_to(to);
        let (run, step) = (shown.clone(), shown.steps[place].clone());
        if step == before {
            return;
        }
        state.send(StreamEvent::Step(StepChange::of(&run, &step)));
    }
}

/// Keeps the board true, as long as the server lives.
pub(crate) async fn keep(server: &Server) -> Infallible {
    let mut events = server.vega.listen();
    let mut hot = server.vega.registry.subscribe();
    let mut desk = server.desk.changes();
    let mut requests = server.requests.changes();
    let changes = server.vega.changes();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_stale = false;
    loop {
        tokio::select! {
            event = events.recv() => {
                if let Ok(event) = event {
                    server.board.hear(event);
                }
            }
            _ = hot.changed() => {}
            _ = desk.changed() => {}
            _ = requests.changed() => {}
            () = changes.changed() => {}
            _ = look.tick() => {
                let next = server.board.state().next;
                if !is_stale && next.is_none_or(|next| next > server.vega.clock.now()) {
                    continue;
                }
            }
        }
        let refreshed = refresh(&server.board, &mut events, async || read(server).await).await;
        if let Err(error) = refreshed {
            tracing::error!(%error, "the database does not say how things stand; hot tokens are served on");
            // Once may be a moment; then it is so.
            if is_stale {
                server.board.go_stale();
            }
            is_stale = true;
            tokio::time::sleep(TRY_AGAIN).await;
        } else {
            is_stale = false;
        }
    }
}

/// Shows what the database says. What was told meanwhile is shown first, so that no step is left out, and then the database
/// is asked anew, so that none goes back.
async fn refresh(
    board: &Board,
    events: &mut broadcast::Receiver<Event>,
    read: impl AsyncFn() -> Result<(Snapshot, Option<DateTime<Utc>>), StoreError>,
) -> Result<(), StoreError> {
    loop {
        let (snapshot, next) = read().await?;
        let mut has_moved = false;
        loop {
            match events.try_recv() {
                Ok(event) => has_moved |= board.hear(event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        if !has_moved {
            board.show(&snapshot, next);
            return Ok(());
        }
    }
}

/// Reads how things stand, and when that changes by time alone.
pub(crate) async fn read(server: &Server) -> Result<(Snapshot, Option<DateTime<Utc>>), StoreError> {
    let vega = &server.vega;
    let statuses = vega.validity.statuses().await?;
    let evidence = vega.evidence(&statuses).await?;
    let closed = vega.cooldowns.closed().await?;
    let moment = vega.clock.moment();
    let mut ends: Vec<DateTime<Utc>> = statuses.iter().filter_map(|status| status.valid_until).collect();
    ends.extend(closed.iter().filter_map(|closed| closed.until(&moment)));
    let mut accounts = Vec::new();
    for account in vega.settings.accounts.iter() {
        let closed = closed.iter().find(|closed| closed.account == account.id);
        let allowance = vega.otp_allowance(account).await?;
        if let OtpAllowance::UsedUp { until } = allowance {
            ends.push(until);
        }
        let budget = vega.settings.otp_budget.presses;
        accounts.push(AccountView::of(account, closed, &allowance, budget, &moment));
    }
    let closed = closed_hours(moment.at);
    let snapshot = Snapshot {
        v: 1,
        apis: statuses
            .iter()
            .map(|status| ApiView::of(status, evidence.get(&status.api)))
            .collect(),
        accounts,
        run: crate::api::runs::current(server).await?,
        prompts: crate::api::prompts::open(&server.desk, moment.at, crate::api::prompts::has_window(server)),
        closed_from_unix: closed.start.timestamp(),
        closed_until_unix: closed.end.timestamp(),
        now_unix: 0,
    };
    ends.retain(|end| *end > moment.at);
    Ok((snapshot, ends.into_iter().min()))
}

/// Shows how things stand, before anybody listens.
pub(crate) async fn fill(server: &Server) -> Result<(), StoreError> {
    let (snapshot, next) = read(server).await?;
    server.board.show(&snapshot, next);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use vega_domain::ids::AccountId;
    use vega_domain::run::{RunRecord, RunState, StepRecord};

    use super::*;

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
            closed_from_unix: 0,
            closed_until_unix: 0,
            now_unix: 0,
        }
    }

    /// The database is read, then the step moves on twice, and only then its answer is shown.
    #[tokio::test]
    async fn every_step_is_told_and_none_goes_back() {
        let (board, run) = (Board::new(), RunId::at(DateTime::UNIX_EPOCH));
        board.show(&with_step_in(run, StepState::Exchanging), None);
        let (_, mut frames) = board.subscribe(DateTime::UNIX_EPOCH).unwrap();
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
        refresh(&board, &mut told, read).await.unwrap();
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
