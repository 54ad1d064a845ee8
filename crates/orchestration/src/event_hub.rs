//! Passes every event on to the program's own sink, and to whoever listens just now. A listener that falls behind loses
//! the oldest events and is told so; nobody waits for it.

use std::sync::Arc;

use tokio::sync::broadcast;
use vega_domain::event::Event;
use vega_domain::ports::EventSink;

/// Far more than a run of six APIs emits.
const KEPT_FOR_LISTENERS: usize = 1024;

/// One sink in, many listeners out.
pub struct EventHub {
    sink: Arc<dyn EventSink>,
    listeners: broadcast::Sender<Event>,
}

impl EventHub {
    /// In front of the program's own sink.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self {
            sink,
            listeners: broadcast::Sender::new(KEPT_FOR_LISTENERS),
        }
    }

    /// Every event from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.listeners.subscribe()
    }
}

impl EventSink for EventHub {
    fn emit(&self, event: Event) {
        // Fails when nobody listens.
        let _ = self.listeners.send(event.clone());
        self.sink.emit(event);
    }
}
