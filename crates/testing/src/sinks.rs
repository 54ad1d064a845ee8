//! Sinks that remember what they were told.

use std::sync::Mutex;

use vega_domain::event::Event;
use vega_domain::ports::EventSink;
use vega_domain::sign_in::Notice;

/// Every effect on the world, in order and in few words.
#[derive(Default)]
pub struct Effects(Mutex<Vec<String>>);

impl Effects {
    /// This happened now.
    pub fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What happened since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// As `take`, but only what begins with one of these words.
    pub fn take_only(&self, words: &[&str]) -> Vec<String> {
        let mut all = self.take();
        all.retain(|effect| words.iter().any(|word| effect.starts_with(word)));
        all
    }
}

/// Every event, in order.
#[derive(Default)]
pub struct RecordedEvents(pub Mutex<Vec<Event>>);

impl RecordedEvents {
    /// What the human was told by them.
    pub fn notices(&self) -> Vec<Notice> {
        let events = self.0.lock().unwrap();
        let notices = events.iter().filter_map(|event| match event {
            Event::Noticed { notice, .. } => Some(*notice),
            _ => None,
        });
        notices.collect()
    }
}

impl EventSink for RecordedEvents {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}
