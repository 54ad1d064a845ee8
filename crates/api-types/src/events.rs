//! The events of the stream, of which the first is a snapshot of everything. None holds a secret.

use serde::Serialize;
use utoipa::ToSchema;

use crate::apis::{AccountView, ApiView, ApisView};
use crate::consumers::{ConsumerView, ConsumersView};
use crate::prompts::{PromptView, PromptsView};
use crate::runs::{RunView, StepView};

/// Everything that the dashboard shows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Snapshot {
    pub v: u8,
    pub apis: Vec<ApiView>,
    pub accounts: Vec<AccountView>,
    /// The run that is under way, or the last one.
    pub run: Option<RunView>,
    pub prompts: Vec<PromptView>,
    /// The programs that use tokens.
    pub consumers: Vec<ConsumerView>,
    /// When sign-ins are closed, now or next, in Unix seconds; every day at the same times. A force with its reason overrides it.
    pub closed_from_unix: i64,
    pub closed_until_unix: i64,
    /// The server's time in Unix seconds, for countdowns.
    pub now_unix: i64,
}

impl Snapshot {
    pub fn apis(&self) -> ApisView {
        ApisView {
            v: 1,
            apis: self.apis.clone(),
            accounts: self.accounts.clone(),
        }
    }
}

/// One server-sent event. `event` is its name; `data` is what its `data:` line holds, as JSON. Each holds the whole new state
/// of its thing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum StreamEvent {
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
    /// Programs that use tokens, each of which stands otherwise now. That one was seen again is no news.
    Consumers(ConsumersView),
    /// An account: its OTP budget, cooldown and stop.
    Cooldown(AccountView),
}

/// One step of a run has moved.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepChange {
    pub v: u8,
    /// The id of the run, as in its `run` event.
    pub run: String,
    #[serde(flatten)]
    pub step: StepView,
}

impl StepChange {
    pub fn of(run: &RunView, step: &StepView) -> Self {
        Self {
            v: 1,
            run: run.id.clone(),
            step: step.clone(),
        }
    }
}
