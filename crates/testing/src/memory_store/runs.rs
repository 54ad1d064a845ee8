//! Runs and their steps.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::RecoveryAction;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{ExecutionStateRepository, LastFailure, RunHistory, StoreError};
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::sign_in::AttemptState;
use vega_domain::token::StoredToken;

use super::store::{Done, MemoryStore, conflict};
use super::tables::{AttemptRow, RunRow, Tables};

impl Tables {
    fn is_any_active(&self) -> bool {
        self.runs.iter().any(|row| row.record.state.is_active())
    }

    fn run(&mut self, id: RunId) -> Result<&mut RunRow, StoreError> {
        let found = self.runs.iter_mut().find(|row| row.record.id == id);
        found.ok_or_else(|| StoreError::Conflict("this run does not exist".into()))
    }

    /// The newest first: a run's id sorts by its start.
    fn records(&self, is_wanted: impl Fn(RunState) -> bool) -> Vec<RunRecord> {
        let rows = self.runs.iter().filter(|row| is_wanted(row.record.state));
        let mut records: Vec<RunRecord> = rows.map(|row| row.record.clone()).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.id));
        records
    }

    /// The sign-in for this API that ended last.
    pub fn last_ended(&self, api: &ApiName) -> Option<&AttemptRow> {
        let mut ended = self.attempts.iter().rev();
        ended.find(|row| row.new.api == *api && !row.is_open())
    }

    fn last_failures(&self) -> Vec<LastFailure> {
        let mut apis: Vec<&ApiName> = self.runs.iter().flat_map(|row| row.saved_at.keys()).collect();
        apis.sort_unstable();
        apis.dedup();
        apis.into_iter()
            .filter_map(|api| self.last_failure(api))
            .collect()
    }

    fn last_failure(&self, api: &ApiName) -> Option<LastFailure> {
        let steps = self.runs.iter().filter_map(|row| {
            let step = row.record.steps.iter().find(|step| step.api == *api)?;
            let ended = *row.saved_at.get(api)?;
            match &step.state {
                StepState::Done => Some((ended, row.record.id, None)),
                StepState::Failed(failure) => Some((ended, row.record.id, Some(failure))),
                _ => None,
            }
        });
        let last = self.last_ended(api);
        let closed = last.filter(|row| row.state == AttemptState::Closed);
        let closed = closed.and_then(|row| Some((row.ended_at?, row.new.run, Some(row.failure.as_ref()?))));
        // An unresolved outcome that the last sign-in left comes first, and then the clock's word counts.
        let (stored, run, failure) = steps.chain(closed).max_by_key(|(ended, run, failure)| {
            let is_unresolved = failure
                .is_some_and(|failure| failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain);
            let is_of_last = last.is_some_and(|last| last.new.run == *run);
            (is_unresolved && is_of_last, *ended, *run)
        })?;
        let row = self.runs.iter().find(|row| row.record.id == run)?;
        let generation = last.map(|row| row.new.generation);
        let is_settled_by = |token: &StoredToken| {
            let is_later = token.verified_at > Some(stored);
            token.api == *api && is_later && generation.is_none_or(|least| token.generation >= least)
        };
        if self.tokens.iter().any(|row| is_settled_by(&row.token)) {
            return None;
        }
        Some(LastFailure {
            api: api.clone(),
            run_began: row.taken_up_at.unwrap_or(row.record.started_at),
            stored,
            failure: failure?.clone(),
            attempt: last.map(|row| row.new.id),
        })
    }
}

#[async_trait]
impl ExecutionStateRepository for MemoryStore {
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit("begin", |tables| {
            if tables.is_any_active() {
                return conflict("another run is active");
            }
            let steps = run.steps.iter();
            tables.runs.push(RunRow {
                record: run.clone(),
                saved_at: steps.map(|step| (step.api.clone(), run.started_at)).collect(),
                taken_up_at: None,
                is_cancel_requested: false,
            });
            Ok(Done::with((), audit))
        })
    }

    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit("take_up", |tables| {
            if tables.is_any_active() {
                return conflict("another run is active");
            }
            let row = tables.run(run.id)?;
            if row.record.state != RunState::Incomplete {
                return conflict("this run is not incomplete");
            }
            for step in &run.steps {
                let from = row.record.steps.iter().find(|from| from.api == step.api);
                match from {
                    Some(from) if from.state == step.state => {}
                    Some(from) if !from.state.may_become(&step.state) => {
                        return conflict("a step cannot begin anew like that");
                    }
                    _ => {
                        row.saved_at.insert(step.api.clone(), audit.at);
                    }
                }
            }
            row.record = run.clone();
            row.record.state = RunState::Running;
            row.record.finished_at = None;
            row.taken_up_at = Some(audit.at);
            row.is_cancel_requested = false;
            Ok(Done::with((), audit))
        })
    }

    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let reason = state.reason().0.map(|reason| format!(" {reason}"));
        let what = format!("{api} {}{}", state.as_str(), reason.unwrap_or_default());
        self.commit(&what, |tables| {
            let row = tables.run(run)?;
            if !row.record.state.is_active() {
                return conflict("the run is not active");
            }
            let Some(step) = row.record.steps.iter_mut().find(|step| step.api == *api) else {
                return conflict("the run has no such step");
            };
            if step.state.is_final() || !step.state.may_become(state) {
                return conflict("the step cannot become that");
            }
            step.state = state.clone();
            row.saved_at.insert(api.clone(), audit.at);
            Ok(Done::with((), audit))
        })
    }

    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("run {}", to.as_str()), |tables| {
            let row = tables.run(run)?;
            if !row.record.state.may_become(to) {
                return conflict("the run cannot become that");
            }
            row.record.state = to;
            row.record.finished_at = (!to.is_active()).then_some(audit.at);
            Ok(Done::with((), audit))
        })
    }

    async fn request_cancel(&self, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
        self.commit("request_cancel", |tables| {
            let active = tables.runs.iter_mut().find(|row| row.record.state.is_active());
            let Some(row) = active else {
                return Ok(Done::nothing(None));
            };
            row.is_cancel_requested = true;
            let entry = AuditEntry::new(at, AuditKind::CancelRequested, "").in_run(row.record.id);
            Ok(Done::with(Some(row.record.id), &entry))
        })
    }

    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError> {
        self.look("is_cancel_requested", |tables| {
            let mut runs = tables.runs.iter();
            runs.any(|row| row.record.id == run && row.is_cancel_requested)
        })
    }
}

#[async_trait]
impl RunHistory for MemoryStore {
    async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look("active", |tables| tables.records(RunState::is_active).pop())
    }

    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.look("find", |tables| {
            let mut records = tables.runs.iter().map(|row| &row.record);
            records.find(|record| record.id == run).cloned()
        })
    }

    async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look("newest", |tables| tables.records(|_| true).into_iter().next())
    }

    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.look("incomplete", |tables| {
            tables.records(|state| state == RunState::Incomplete)
        })
    }

    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError> {
        self.look("last_failures", Tables::last_failures)
    }
}
