//! How the events of the stream are written.

use serde::Serialize;

use vega_api_types::StreamEvent;

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
            StreamEvent::Consumers(consumers) => ("consumers", json(consumers)),
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
