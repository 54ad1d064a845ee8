//! Rows of `execution_runs` and `execution_steps`, and how a run or step last failed.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, RunId};
use vega_domain::ports::{LastFailure, StoreError};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};

use crate::sql::record;
use crate::stored::unreadable;

record! {
    pub(crate) struct RunRow {
        pub(crate) id: Uuid,
        state: String,
        started_at: DateTime<Utc>,
        finished_at: Option<DateTime<Utc>>,
    }
}

impl RunRow {
    /// The run with its steps, in order.
    pub(crate) fn into_record(self, steps: Vec<StepRow>) -> Result<RunRecord, StoreError> {
        Ok(RunRecord {
            id: RunId::from_uuid(self.id),
            state: RunState::parse(&self.state).map_err(unreadable)?,
            started_at: self.started_at,
            finished_at: self.finished_at,
            steps: steps
                .into_iter()
                .map(StepRow::into_record)
                .collect::<Result<_, _>>()?,
        })
    }
}

record! {
    pub(crate) struct StepRow {
        api: String,
        account: String,
        state: String,
        reason: Option<String>,
        detail: Option<String>,
    }
}

impl StepRow {
    pub(crate) fn into_record(self) -> Result<StepRecord, StoreError> {
        Ok(StepRecord {
            state: StepState::parse(&self.state, self.reason.as_deref(), self.detail.as_deref())
                .map_err(unreadable)?,
            api: ApiName::new(self.api).map_err(unreadable)?,
            account: AccountId::new(self.account).map_err(unreadable)?,
        })
    }
}

record! {
    pub(crate) struct FailureRow {
        api: String,
        run_began: DateTime<Utc>,
        stored: DateTime<Utc>,
        reason: String,
        detail: Option<String>,
        attempt: Option<Uuid>,
    }
}

impl FailureRow {
    pub(crate) fn into_failure(self) -> Result<LastFailure, StoreError> {
        let reason = FailureReason::parse(&self.reason).map_err(unreadable)?;
        Ok(LastFailure {
            api: ApiName::new(self.api).map_err(unreadable)?,
            run_began: self.run_began,
            stored: self.stored,
            failure: Failure::new(reason, self.detail.unwrap_or_default()),
            attempt: self.attempt.map(AttemptId::from_uuid),
        })
    }
}
