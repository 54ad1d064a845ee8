//! Checks the events of one process: none holds a secret, and some of them promise something.

use vega_domain::event::Event;
use vega_domain::ids::Generation;
use vega_domain::ports::EventSink;

use crate::here::Here;
use crate::locked::locked;

pub(crate) struct Events {
    here: Here,
}

impl Events {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }
}

impl EventSink for Events {
    fn emit(&self, event: Event) {
        let here = &self.here;
        if here.process.is_gone() {
            return;
        }
        here.world.check_text(&format!("{event:?}"));
        match event {
            Event::TokenPublished { api, generation } => {
                here.tell(&format!("publishes {api} {generation}"));
            }
            Event::KeptInMemoryOnly { api, .. } => {
                let newest = here.newest_token(&api);
                let newest = newest.map(|row| row.token.generation);
                let generation = Generation::after(newest);
                here.tell(&format!("has {api} {generation} in memory only"));
                locked(&here.process.in_memory).insert((api, generation));
            }
            Event::RunWaits { wait, .. } => {
                here.tell(&format!(
                    "waits for account {}: {}",
                    wait.account,
                    wait.cause.summary()
                ));
            }
            _ => {}
        }
    }
}
