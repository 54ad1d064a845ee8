//! Runs and their steps.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::RecoveryAction;
use vega_domain::ids::{ApiName, AttemptId, RunId};
use vega_domain::ports::{Clock, ExecutionStateRepository, LastFailure, RunHistory, StoreError};
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::sign_in::AttemptState;
use vega_domain::token::StoredToken;

use super::{Done, RunRow, Store, Tables};
use crate::ground_truth::UnresolvedOutcome;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

fn conflict<T>(words: &str) -> Result<T, StoreError> {
    Err(StoreError::Conflict(words.into()))
}

impl Tables {
    fn is_any_active(&self) -> bool {
        self.runs.iter().any(|row| row.record.state.is_active())
    }

    fn run(&mut self, id: RunId) -> Result<&mut RunRow, StoreError> {
        let found = self.runs.iter_mut().find(|row| row.record.id == id);
        found.ok_or_else(|| StoreError::Conflict("this run does not exist".into()))
    }

    fn records(&self, wanted: impl Fn(RunState) -> bool) -> Vec<RunRecord> {
        let rows = self.runs.iter().filter(|row| wanted(row.record.state));
        let mut records: Vec<RunRecord> = rows.map(|row| row.record.clone()).collect();
        // As the database does: a run's id sorts by its start.
        records.sort_by_key(|record| std::cmp::Reverse(record.id));
        records
    }

    /// Per API the sign-in that ended last.
    fn all_last_ended(&self) -> BTreeMap<ApiName, AttemptId> {
        let ended = self.attempts.iter().filter(|row| !row.is_open());
        ended.map(|row| (row.new.api.clone(), row.new.id)).collect()
    }

    /// Per API how its last sign-in failed, if no token came after it.
    fn last_failures(&self) -> Vec<LastFailure> {
        let mut apis: Vec<&ApiName> = self.runs.iter().flat_map(|row| row.updated.keys()).collect();
        apis.sort_unstable();
        apis.dedup();
        apis.into_iter()
            .filter_map(|api| self.last_failure(api))
            .collect()
    }

    fn last_failure(&self, api: &ApiName) -> Option<LastFailure> {
        let steps = self.runs.iter().filter_map(|row| {
            let step = row.record.steps.iter().find(|step| step.api == *api)?;
            let ended = *row.updated.get(api)?;
            match &step.state {
                StepState::Done => Some((ended, row.record.id, None)),
                StepState::Failed(failure) => Some((ended, row.record.id, Some(failure))),
                _ => None,
            }
        });
        let last = self.last_ended(api);
        let closed = last.filter(|row| row.state == AttemptState::Closed);
        let closed = closed.and_then(|row| Some((row.ended?, row.new.run, Some(row.failure.as_ref()?))));
        // As the database does: an unresolved outcome of the last sign-in comes first, and then the clock's word counts.
        let (ended, run, failure) = steps.chain(closed).max_by_key(|(ended, run, failure)| {
            let is_unresolved = failure
                .is_some_and(|failure| failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain);
            let is_of_last = last.is_some_and(|last| last.new.run == *run);
            (is_unresolved && is_of_last, ended.at, *run)
        })?;
        let row = self.runs.iter().find(|row| row.record.id == run)?;
        let stored = ended.at;
        let generation = last.map(|row| row.new.generation);
        let mut of_api = self.tokens.iter().filter(|row| row.token.api == *api);
        let settles = |token: &StoredToken| {
            token.verified_at > Some(stored) && generation.is_none_or(|least| token.generation >= least)
        };
        if of_api.any(|row| settles(&row.token)) {
            return None;
        }
        Some(LastFailure {
            api: api.clone(),
            run_began: row.resumed_at.unwrap_or(row.record.started_at),
            stored,
            failure: failure?.clone(),
            attempt: last.map(|row| row.new.id),
        })
    }
}

#[async_trait]
impl ExecutionStateRepository for Store {
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("a run of {}", audit.detail);
        let holder = self.here.process.number;
        self.commit(&what, &[AuditKind::RunStarted], |tables| {
            if tables.is_any_active() {
                return conflict("another run is active");
            }
            let (steps, ended) = (run.steps.iter(), tables.ended(run.started_at));
            tables.runs.push(RunRow {
                commit: tables.commits,
                record: run.clone(),
                updated: steps.map(|step| (step.api.clone(), ended)).collect(),
                resumed_at: None,
                cancel_requested: false,
                holder,
            });
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("a run taken up: {}", audit.detail);
        let holder = self.here.process.number;
        self.commit(&what, &[AuditKind::RunTakenUp], |tables| {
            if tables.is_any_active() {
                return conflict("another run is active");
            }
            let ended = tables.ended(audit.at);
            let row = tables.run(run.id)?;
            if row.record.state != RunState::Incomplete {
                return conflict("this run is not incomplete");
            }
            for step in &run.steps {
                let from = row.record.steps.iter().find(|from| from.api == step.api);
                match from {
                    Some(from) if from.state == step.state => {}
                    Some(from) if !from.state.may_become(&step.state) => {
                        return conflict("a step cannot begin anew so");
                    }
                    _ => {
                        row.updated.insert(step.api.clone(), ended);
                    }
                }
            }
            row.record = run.clone();
            row.commit = ended.commit;
            row.record.state = RunState::Running;
            row.record.finished_at = None;
            row.resumed_at = Some(audit.at);
            row.cancel_requested = false;
            row.holder = holder;
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn save_step(
        &self,
        run: RunId,
        api: &ApiName,
        state: &StepState,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let reason = state.reason().0.map(|reason| format!(" {reason}"));
        let what = format!("step {api} {}{}", state.as_str(), reason.unwrap_or_default());
        let world = &self.here.world;
        if let (_, Some(words)) = state.reason() {
            world.check_text(words);
        }
        self.commit(&what, &[AuditKind::StepChanged], |tables| {
            let ended = tables.ended(audit.at);
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
            row.updated.insert(api.clone(), ended);
            if let StepState::Failed(failure) = state
                && failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain
            {
                let outcome = UnresolvedOutcome {
                    stored: audit.at,
                    reason: failure.reason,
                    attempt: tables.last_ended(api).map(|row| row.new.id),
                };
                world.truth(|truth| truth.unresolved.insert(api.clone(), outcome));
            }
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn move_run(&self, run: RunId, to: RunState, audit: &AuditEntry) -> Result<(), StoreError> {
        let to = match to {
            RunState::Incomplete if self.here.is_injected(InjectedDefect::CompleteAll) => RunState::Completed,
            to => to,
        };
        let kinds = [AuditKind::RunMoved, AuditKind::RunEnded];
        let what = format!("run {}", audit.detail);
        let moved = self
            .commit(&what, &kinds, |tables| {
                let commit = tables.commits;
                let row = tables.run(run)?;
                if !row.record.state.may_become(to) {
                    return conflict("the run cannot become that");
                }
                row.commit = commit;
                row.record.state = to;
                row.record.finished_at = (!to.is_active()).then_some(audit.at);
                Ok(Done::with(row.record.clone(), audit))
            })
            .await?;
        if to == RunState::Completed {
            self.here.check_completed(&moved);
        }
        Ok(())
    }

    async fn request_cancel(&self, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
        self.commit(
            "a task that the run ends",
            &[AuditKind::CancelRequested],
            |tables| {
                let active = tables.runs.iter_mut().find(|row| row.record.state.is_active());
                let Some(row) = active else {
                    return Ok(Done::nothing(None));
                };
                row.cancel_requested = true;
                let entry = AuditEntry::new(at, AuditKind::CancelRequested, "").in_run(row.record.id);
                Ok(Done::with(Some(row.record.id), &entry))
            },
        )
        .await
    }

    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError> {
        self.look(|tables| {
            let mut runs = tables.runs.iter();
            runs.any(|row| row.record.id == run && row.cancel_requested)
        })
        .await
    }
}

#[async_trait]
impl RunHistory for Store {
    async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look(|tables| tables.records(RunState::is_active).pop())
            .await
    }

    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.look(|tables| {
            let mut rows = tables.runs.iter().map(|row| &row.record);
            rows.find(|record| record.id == run).cloned()
        })
        .await
    }

    async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look(|tables| tables.records(|_| true).into_iter().next())
            .await
    }

    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.look(|tables| tables.records(|state| state == RunState::Incomplete))
            .await
    }

    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError> {
        let (failures, told) = self
            .look(|tables| (tables.last_failures(), tables.all_last_ended()))
            .await?;
        *locked(&self.here.process.told) = told;
        Ok(failures)
    }
}

impl Store {
    /// By the computer's clock.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.here.world.time.now()
    }
}
