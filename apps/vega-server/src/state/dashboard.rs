//! In-memory read model behind the API and the event stream. Rebuilt when the database, the token cache, prompts or a
//! deadline change; broadcasts differences. Holds no secrets. When it is rebuilt, and from what, is decided in
//! `dashboard_refresh`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{broadcast, watch};
use vega_domain::event::Event;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::run::StepState;

use crate::state::stream_event::Frame;
use vega_api_types::ApisView;
use vega_api_types::PromptsView;
use vega_api_types::Snapshot;
use vega_api_types::{ConsumerView, ConsumersView};
use vega_api_types::{StepChange, StreamEvent};

/// A client that is this many changes behind is disconnected and starts again with a snapshot.
const STREAM_BUFFER: usize = 256;

struct State {
    number: u64,
    /// The database could not be read twice in a row: the snapshot may be out of date.
    is_stale: bool,
    /// Dropping the sender ends every stream.
    frames: broadcast::Sender<Arc<Frame>>,
    snapshot: Snapshot,
    /// The earliest deadline in the snapshot.
    next_deadline: Option<DateTime<Utc>>,
}

impl State {
    #[expect(clippy::needless_pass_by_value, reason = "an event is sent once")]
    fn send(&mut self, event: StreamEvent) {
        self.number += 1;
        // Fails when nobody listens.
        let _ = self.frames.send(Arc::new(Frame::of(self.number, &event)));
    }
}

/// What tells one consumer and API from the others.
fn key_of(consumer: &ConsumerView) -> (&str, Option<&str>, &str) {
    (&consumer.consumer, consumer.own_name.as_deref(), &consumer.api)
}

/// The read model.
pub(crate) struct Dashboard {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

impl Dashboard {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                number: 0,
                is_stale: false,
                frames: broadcast::Sender::new(STREAM_BUFFER),
                snapshot: Snapshot {
                    v: 1,
                    apis: Vec::new(),
                    accounts: Vec::new(),
                    run: None,
                    prompts: Vec::new(),
                    consumers: Vec::new(),
                    closed_from_unix: 0,
                    closed_until_unix: 0,
                    now_unix: 0,
                },
                next_deadline: None,
            }),
            changes: watch::Sender::default(),
        }
    }

    /// The current snapshot.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state().snapshot.clone()
    }

    /// What `look` makes of the current snapshot. It is not copied.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.state().snapshot)
    }

    /// Tells when APIs or accounts stand otherwise.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The APIs and accounts of the current snapshot.
    pub(crate) fn apis(&self) -> ApisView {
        self.state().snapshot.apis()
    }

    /// The current snapshot and all later changes; `None` while the snapshot may be out of date.
    pub(crate) fn subscribe(&self, now: DateTime<Utc>) -> Option<(Frame, broadcast::Receiver<Arc<Frame>>)> {
        let state = self.state();
        if state.is_stale {
            return None;
        }
        let mut snapshot = state.snapshot.clone();
        snapshot.now_unix = now.timestamp();
        let first = Frame::of(state.number, &StreamEvent::Snapshot(snapshot));
        // Under the same lock, so that no change falls between the two.
        Some((first, state.frames.subscribe()))
    }

    /// Ends every stream and accepts none until the database can be read again.
    pub(crate) fn mark_stale(&self) {
        let mut state = self.state();
        state.is_stale = true;
        state.frames = broadcast::Sender::new(STREAM_BUFFER);
    }

    /// When the snapshot changes by time alone.
    pub(crate) fn next_deadline(&self) -> Option<DateTime<Utc>> {
        self.state().next_deadline
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the snapshot and broadcasts the differences.
    pub(crate) fn replace(&self, new: &Snapshot, next_deadline: Option<DateTime<Utc>>) {
        let mut state = self.state();
        let mut old = std::mem::replace(&mut state.snapshot, new.clone());
        state.snapshot.consumers = std::mem::take(&mut old.consumers);
        state.next_deadline = next_deadline;
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
        drop(state);
        if new.apis != old.apis || new.accounts != old.accounts {
            self.changes.send_replace(());
        }
    }

    /// Replaces the consumers, and broadcasts those that stand otherwise than before.
    pub(crate) fn show_consumers(&self, new: Vec<ConsumerView>) {
        let mut state = self.state();
        let old = std::mem::replace(&mut state.snapshot.consumers, new);
        let old: HashMap<_, _> = old.iter().map(|old| (key_of(old), old)).collect();
        let shown = state.snapshot.consumers.iter();
        let changed = shown.filter(|new| !old.get(&key_of(new)).is_some_and(|old| old.stands_like(new)));
        let consumers: Vec<ConsumerView> = changed.cloned().collect();
        if !consumers.is_empty() {
            state.send(StreamEvent::Consumers(ConsumersView { v: 1, consumers }));
        }
    }

    /// Applies an event; returns whether the snapshot changed.
    pub(crate) fn apply(&self, event: Event) -> bool {
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

    /// Shows a step's change at once: when the database is read, the step may have changed again.
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
