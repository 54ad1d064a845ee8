//! Runs and their steps.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::RecoveryAction;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{ExecutionStateRepository, LastFailure, RunHistory, StoreError};
use vega_domain::run::{RunRecord, RunState, StepState};

use super::Store;
use crate::ground_truth::UnresolvedOutcome;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

impl Store {
    /// From now on this process moves the run.
    fn is_held(&self, run: RunId) {
        locked(&self.here.world.disk.holders).insert(run, self.here.process.number);
    }

    /// What the rules know of a step that is saved from now on.
    fn is_saved(&self, api: &ApiName, state: &StepState, at: DateTime<Utc>) {
        let world = &self.here.world;
        let StepState::Failed(failure) = state else {
            return;
        };
        if failure.reason.recovery_action() != RecoveryAction::AskBeforeAgain {
            return;
        }
        let outcome = UnresolvedOutcome {
            stored: at,
            reason: failure.reason,
            attempt: world
                .disk
                .read(|tables| tables.last_ended(api).map(|row| row.new.id)),
        };
        world.truth(|truth| truth.unresolved.insert(api.clone(), outcome));
    }
}

#[async_trait]
impl ExecutionStateRepository for Store {
    async fn begin(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("a run of {}", audit.detail);
        let call = self.memory().begin(run, audit);
        self.sign_in(&what, &[AuditKind::RunStarted], call, |(), _| {
            self.is_held(run.id);
        })
        .await
    }

    async fn take_up(&self, run: &RunRecord, audit: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("a run taken up: {}", audit.detail);
        let call = self.memory().take_up(run, audit);
        self.sign_in(&what, &[AuditKind::RunTakenUp], call, |(), _| {
            self.is_held(run.id);
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
        let (reason, words) = state.reason();
        let reason = reason.map(|reason| format!(" {reason}"));
        let what = format!("step {api} {}{}", state.as_str(), reason.unwrap_or_default());
        if let Some(words) = words {
            self.here.world.check_text(words);
        }
        let call = self.memory().save_step(run, api, state, audit);
        self.sign_in(&what, &[AuditKind::StepChanged], call, |(), _| {
            self.is_saved(api, state, audit.at);
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
        let call = self.memory().move_run(run, to, audit);
        self.sign_in(&what, &kinds, call, |(), _| {
            let moved = self.memory().runs().into_iter().find(|moved| moved.id == run);
            if let Some(moved) = moved.filter(|_| to == RunState::Completed) {
                self.here.check_completed(&moved);
            }
        })
        .await
    }

    async fn request_cancel(&self, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
        let call = self.memory().request_cancel(at);
        self.commit(
            "a task that the run ends",
            &[AuditKind::CancelRequested],
            call,
            |_, _| (),
        )
        .await
    }

    async fn is_cancel_requested(&self, run: RunId) -> Result<bool, StoreError> {
        self.look(self.memory().is_cancel_requested(run)).await
    }
}

#[async_trait]
impl RunHistory for Store {
    async fn active(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look(self.memory().active()).await
    }

    async fn find(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.look(self.memory().find(run)).await
    }

    async fn newest(&self) -> Result<Option<RunRecord>, StoreError> {
        self.look(self.memory().newest()).await
    }

    async fn incomplete(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.look(self.memory().incomplete()).await
    }

    async fn last_failures(&self) -> Result<Vec<LastFailure>, StoreError> {
        let failures = self.look(self.memory().last_failures()).await?;
        let told: BTreeMap<_, _> = self.here.world.disk.read(|tables| {
            let ended = tables.attempts.iter().filter(|row| !row.is_open());
            ended.map(|row| (row.new.api.clone(), row.new.id)).collect()
        });
        *locked(&self.here.process.told) = told;
        Ok(failures)
    }
}
