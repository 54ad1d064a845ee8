//! Port: where events go.

use crate::event::Event;

/// Takes events. MUST return at once and MUST NOT fail: nothing that matters may hang on a progress bar.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}
