//! Writes the events of a morning to the log at level INFO, in both programs: who began which run, when Get OTP was
//! pressed, what was stored, what a run waits for and how it ended. Uses events alone, and passes them on to the
//! program's own sink.

use std::sync::Arc;

use vega_domain::event::Event;
use vega_domain::expiry::in_ist;
use vega_domain::ports::{Approver, EventSink};
use vega_domain::run::StepState;

/// Logs each event and passes it on.
pub(crate) struct EventLog {
    approver: Arc<dyn Approver>,
    next: Arc<dyn EventSink>,
}

impl EventLog {
    /// Passes events on to `next`. `approver` is logged as the one who approved a run.
    pub(crate) fn new(approver: Arc<dyn Approver>, next: Arc<dyn EventSink>) -> Self {
        Self { approver, next }
    }
}

impl EventSink for EventLog {
    fn emit(&self, event: Event) {
        match &event {
            Event::TokenChecked { api, status } => tracing::info!(%api, %status, "token checked"),
            Event::RunStarted { run, open, settled } => {
                tracing::info!(%run, by = %self.approver.who(), open, settled, "run begun");
            }
            Event::StepChanged { run, api, state } => match state {
                StepState::SigningIn => tracing::info!(%run, %api, "signing in"),
                StepState::Failed(failure) => {
                    let (reason, detail) = (failure.reason.code(), &*failure.detail);
                    tracing::info!(%run, %api, reason, detail, "sign-in failed");
                }
                StepState::Skipped(reason) => tracing::info!(%run, %api, reason = reason.as_str(), "skipped"),
                StepState::Pending | StepState::Exchanging | StepState::Verifying | StepState::Done => {
                    tracing::debug!(%run, %api, state = state.as_str(), "step");
                }
            },
            Event::ScreenSeen { api, screen } => tracing::debug!(%api, ?screen, "screen"),
            Event::OtpRequested { account, api } => tracing::info!(%account, %api, "Get OTP pressed"),
            Event::Noticed { api, notice } => tracing::info!(%api, "{notice}"),
            Event::TokenPublished { api, generation } => tracing::info!(%api, %generation, "token stored"),
            // Storage has said so, as an error.
            Event::KeptInSpool { api, why } => tracing::debug!(%api, why, "kept in the spool"),
            Event::KeptInMemoryOnly { api, why } => tracing::debug!(%api, why, "kept in memory only"),
            Event::RunWaits { run, wait } => {
                let until = in_ist(wait.until).format("%H:%M:%S IST");
                tracing::info!(%run, account = %wait.account, cause = %wait.cause, %until, "run waits");
            }
            Event::RunGoesOn { run } => tracing::info!(%run, "run goes on"),
            Event::RunEnded { run, state } => tracing::info!(%run, state = state.as_str(), "run ended"),
        }
        self.next.emit(event);
    }
}

#[cfg(test)]
mod tests {
    use vega_testing::builders::one_event_of_each_kind;
    use vega_testing::{Nobody, RecordedEvents};

    use super::*;

    #[test]
    fn every_event_is_logged_and_passed_on() {
        let next = Arc::new(RecordedEvents::default());
        let log = EventLog::new(Arc::new(Nobody), next.clone());
        let events = one_event_of_each_kind();
        for event in &events {
            log.emit(event.clone());
        }
        assert_eq!(*next.0.lock().unwrap(), events);
    }
}
