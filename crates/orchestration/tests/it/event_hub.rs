//! `EventHub` passes events on whoever listens.

use std::sync::Arc;

use chrono::DateTime;
use tokio::sync::broadcast::error::RecvError;
use vega_domain::event::Event;
use vega_domain::ids::RunId;
use vega_domain::ports::EventSink;
use vega_orchestration::EventHub;
use vega_testing::RecordedEvents;

#[tokio::test]
async fn whoever_does_not_listen_holds_nobody_up() {
    let events = Arc::new(RecordedEvents::default());
    let hub = EventHub::new(events.clone());
    let run = RunId::at(DateTime::UNIX_EPOCH);
    let mut listener = hub.listen();
    for _ in 0..5_000 {
        hub.emit(Event::RunGoesOn { run });
    }
    assert_eq!(events.0.lock().unwrap().len(), 5_000);
    let late = listener.recv().await;
    assert!(matches!(late, Err(RecvError::Lagged(_))), "{late:?}");
    assert_eq!(listener.recv().await, Ok(Event::RunGoesOn { run }));
}
