//! Handle of a run in the background: its events, its outcome, and its cancellation. Clones are handles of the same run.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use vega_domain::event::Event;
use vega_domain::run::RunRecord;

use crate::event_hub::EventHub;
use crate::run_error::RunError;

type Outcome = Result<RunRecord, Arc<RunError>>;

/// A run in the background.
#[derive(Clone)]
pub struct RunHandle {
    cancel: CancellationToken,
    task: AbortHandle,
    outcome: Shared<BoxFuture<'static, Outcome>>,
    events: Arc<EventHub>,
    joined: bool,
}

impl fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("is_over", &self.is_over())
            .field("joined", &self.joined)
            .finish_non_exhaustive()
    }
}

impl RunHandle {
    /// Lets `run` go, which ends when `cancel` says so.
    pub(crate) fn start(
        run: impl Future<Output = Result<RunRecord, RunError>> + Send + 'static,
        cancel: CancellationToken,
        events: Arc<EventHub>,
    ) -> Self {
        let task = tokio::spawn(run);
        let abort = task.abort_handle();
        let outcome = task.map(|ended| match ended {
            Ok(outcome) => outcome.map_err(Arc::new),
            // The task is never aborted, so this is its panic: pass it on.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        });
        Self {
            cancel,
            task: abort,
            outcome: outcome.boxed().shared(),
            events,
            joined: false,
        }
    }

    /// The same run, for somebody who came when it was under way.
    pub(crate) fn join(&self) -> Self {
        Self {
            joined: true,
            ..self.clone()
        }
    }

    /// Whether this is a run that was under way already: what was asked for now was not started.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the run as soon as a commit under way is finished. The run stays resumable.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// What happens from now on, the run's end included.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.listen()
    }

    /// Waits for the end; may be asked again.
    pub async fn outcome(&self) -> Outcome {
        self.outcome.clone().await
    }
}
