//! The events of the stream and how they are written. The OpenAPI file is generated from the same type, so that it
//! describes every event that is sent.

use serde::Serialize;
use utoipa::ToSchema;

use crate::state::prompt_view::PromptsView;
use crate::state::snapshot::Snapshot;
use vega_api_types::RunView;
use vega_api_types::{AccountView, ApiView, StepView};

/// One server-sent event. `event` is its name; `data` is what its `data:` line holds, as JSON. Each holds the whole new state
/// of its thing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub(crate) enum StreamEvent {
    /// Everything, at one moment; the first event of every stream.
    Snapshot(Snapshot),
    /// How an API's token stands.
    Token(ApiView),
    /// A run.
    Run(RunView),
    /// One step of a run that was sent before.
    Step(StepChange),
    /// All that is asked now.
    Prompt(PromptsView),
    /// An account: its OTP budget, cooldown and stop.
    Cooldown(AccountView),
}

/// One step of a run has moved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepChange {
    v: u8,
    /// The id of the run, as in its `run` event.
    run: String,
    #[serde(flatten)]
    step: StepView,
}

impl StepChange {
    pub(crate) fn of(run: &RunView, step: &StepView) -> Self {
        Self {
            v: 1,
            run: run.id.clone(),
            step: step.clone(),
        }
    }
}

/// An event as it is written to a stream.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) event: &'static str,
    pub(crate) data: String,
}

impl Frame {
    pub(crate) fn of(number: u64, event: &StreamEvent) -> Self {
        let (event, data) = match event {
            StreamEvent::Snapshot(snapshot) => ("snapshot", json(snapshot)),
            StreamEvent::Token(api) => ("token", json(api)),
            StreamEvent::Run(run) => ("run", json(run)),
            StreamEvent::Step(step) => ("step", json(step)),
            StreamEvent::Prompt(prompts) => ("prompt", json(prompts)),
            StreamEvent::Cooldown(account) => ("cooldown", json(account)),
        };
        Self { number, event, data }
    }
}

fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

#[cfg(test)]
mod tests;
