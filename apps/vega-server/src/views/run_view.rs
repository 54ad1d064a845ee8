//! How a run looks in JSON, whether this process or another carries it out. `run_request` adds what only the request
//! knows.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::run::RunRecord;

use crate::state::notices::NoticeView;
use crate::views::codes::{OutcomeCode, RunState};
use crate::views::{PlanView, StepView, WaitView};

/// A run as it is shown: one that was asked for here, or one of another process.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunView {
    pub(crate) v: u8,
    /// What to ask for it by.
    pub(crate) id: String,
    pub(crate) state: RunState,
    /// Whether it can still be cancelled.
    pub(crate) under_way: bool,
    /// Whether another process carries it out.
    pub(crate) elsewhere: bool,
    pub(crate) asked_at: Option<String>,
    pub(crate) asked_by: Option<String>,
    pub(crate) plan: Option<PlanView>,
    /// The run in the database and the audit trail.
    pub(crate) run: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) started_at_unix: Option<i64>,
    pub(crate) finished_at: Option<String>,
    /// When everything should be done; an estimate, from what the plan takes and when it began.
    pub(crate) finish: Option<String>,
    pub(crate) finish_unix: Option<i64>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) wait: Option<WaitView>,
    /// What the human should know of it, the newest last; the last few.
    pub(crate) notices: Vec<NoticeView>,
    /// Why nothing was begun, or why it broke off.
    pub(crate) outcome: Option<Outcome>,
}

/// Why nothing was begun, or why a run broke off.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Outcome {
    pub(crate) code: OutcomeCode,
    /// What happened, why, and what to do next.
    pub(crate) detail: String,
}

impl RunView {
    /// A run that nobody asked this process for.
    pub(crate) fn stored(record: &RunRecord) -> Self {
        Self {
            elsewhere: record.state.is_active(),
            ..Self::stored_or_none(Some(record))
        }
    }

    /// The same but for its steps, which are told of one by one.
    pub(crate) fn without_steps(&self) -> Self {
        Self {
            steps: Vec::new(),
            ..self.clone()
        }
    }

    pub(crate) fn stored_or_none(record: Option<&RunRecord>) -> Self {
        Self {
            v: 1,
            id: record.map(|record| record.id.to_string()).unwrap_or_default(),
            state: record.map_or(RunState::Planned, |record| record.state.into()),
            under_way: record.is_some_and(|record| record.state.is_active()),
            elsewhere: false,
            asked_at: None,
            asked_by: None,
            plan: None,
            run: record.map(|record| record.id.to_string()),
            started_at: record.map(|record| rfc3339_ist(record.started_at)),
            started_at_unix: record.map(|record| record.started_at.timestamp()),
            finish: None,
            finish_unix: None,
            notices: Vec::new(),
            finished_at: record.and_then(|record| record.finished_at).map(rfc3339_ist),
            steps: record.map(StepView::all_of).unwrap_or_default(),
            wait: None,
            outcome: None,
        }
    }
}
