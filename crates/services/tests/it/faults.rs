//! What fails in a test's database, which of its effects are told, and whether a token is served before it is stored.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use vega_domain::ports::StoreError;
use vega_domain::run::StepState;
use vega_domain::token::StoredToken;
use vega_services::{HotTokenRegistry, StepRecorder};
use vega_testing::memory_store::full;
use vega_testing::{Effects, Watcher};

/// How a change is refused.
type Refusal = fn() -> StoreError;
/// What happens beside a change.
type Event = Box<dyn FnOnce() + Send>;

pub(crate) struct Faults {
    log: Arc<Effects>,
    registry: Arc<HotTokenRegistry>,
    fails_at: Mutex<Option<(&'static str, Refusal)>>,
    happens_at: Mutex<Option<(&'static str, Event)>>,
}

impl Faults {
    pub(crate) fn new(log: Arc<Effects>, registry: Arc<HotTokenRegistry>) -> Self {
        Self {
            log,
            registry,
            fails_at: Mutex::default(),
            happens_at: Mutex::default(),
        }
    }

    /// From now on the named effect fails and changes nothing.
    pub(crate) fn fail_at(&self, effect: &'static str) {
        self.refuse_at(effect, full);
    }

    /// From now on the named effect fails like this and changes nothing.
    pub(crate) fn refuse_at(&self, effect: &'static str, why: Refusal) {
        *self.fails_at.lock().unwrap() = Some((effect, why));
    }

    pub(crate) fn heal(&self) {
        *self.fails_at.lock().unwrap() = None;
    }

    /// This happens once, just when the named effect is written.
    pub(crate) fn happens_at(&self, effect: &'static str, event: impl FnOnce() + Send + 'static) {
        *self.happens_at.lock().unwrap() = Some((effect, Box::new(event)));
    }

    fn fails(&self, effect: &str) -> Result<(), StoreError> {
        match *self.fails_at.lock().unwrap() {
            Some((at, why)) if at == effect => {
                self.log.add(format!("{effect} fails"));
                Err(why())
            }
            _ => Ok(()),
        }
    }
}

/// An effect as it is told here, where there is one API; and what follows its name.
fn short(what: &str) -> (&str, &str) {
    let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
    match word {
        "close_attempt" => ("close", rest.split_once(' ').map_or("", |(_, reason)| reason)),
        "append" => (rest, ""),
        _ => (word, ""),
    }
}

impl Watcher for Faults {
    fn asked(&self, what: &str) -> Result<(), StoreError> {
        let (effect, _) = short(what);
        self.fails(effect)?;
        // They are told when they are requested, also where they change nothing.
        if effect == "request_otp" || effect == "note_otp" {
            self.log.add(effect);
        }
        Ok(())
    }

    fn commits(&self, what: &str) -> Result<(), StoreError> {
        let happens = self
            .happens_at
            .lock()
            .unwrap()
            .take_if(|(at, _)| *at == short(what).0);
        if let Some((_, event)) = happens {
            event();
        }
        match short(what) {
            ("request_otp" | "note_otp" | "deliver_code", _) => {}
            (effect, "") => self.log.add(effect),
            (effect, more) => self.log.add(format!("{effect} {more}")),
        }
        Ok(())
    }

    fn stores(&self, token: &StoredToken) {
        let served = self.registry.get(&token.api);
        if served.is_some_and(|hot| hot.generation >= token.generation) {
            self.log.add("served before it is stored");
        }
    }
}

#[async_trait]
impl StepRecorder for Faults {
    async fn record(&self, state: StepState) -> Result<(), StoreError> {
        let effect = format!("record {}", state.as_str());
        self.fails(&effect)?;
        self.log.add(effect);
        Ok(())
    }
}
