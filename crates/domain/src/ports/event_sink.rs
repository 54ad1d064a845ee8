//! Port: where events go.

use crate::event::Event;

/// Takes events. MUST return at once and MUST NOT fail: nothing that matters may hang on a progress bar
/// (`whoever_does_not_listen_holds_nobody_up`, `every_event_is_logged_and_passed_on`,
/// `every_event_is_taken_with_and_without_a_terminal`).
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}
