//! Keeps a run's steps in the database and in the report, in this order, and tells who wants to know.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::expiry::{self, in_ist};
use vega_domain::ids::{ApiName, RunId};
use vega_domain::ports::{Clock, EventSink, ExecutionStateRepository, StoreError, TokenSpool};
use vega_domain::run::{RunRecord, RunState, StepState, Wait};
use vega_services::StepRecorder;

use crate::ports::OrchestrationPorts;

/// How long a run waits for its database when a token is done.
const STORAGE_PATIENCE: Duration = Duration::from_secs(10);
const STORAGE_PAUSE: Duration = Duration::from_millis(500);

/// One run under way.
pub(crate) struct RunProgress<'a> {
    runs: &'a dyn ExecutionStateRepository,
    spool: &'a dyn TokenSpool,
    events: &'a dyn EventSink,
    clock: &'a dyn Clock,
    record: Mutex<RunRecord>,
}

impl<'a> RunProgress<'a> {
    pub(crate) fn new(record: RunRecord, ports: &'a OrchestrationPorts) -> Self {
        Self {
            runs: &*ports.runs,
            spool: &*ports.spool,
            events: &*ports.events,
            clock: &*ports.clock,
            record: Mutex::new(record),
        }
    }

    pub(crate) fn run(&self) -> RunId {
        self.with(|record| record.id)
    }

    /// A recorder for the step of one API.
    pub(crate) fn step<'s>(&'s self, api: &'s ApiName) -> Step<'s, 'a> {
        Step { progress: self, api }
    }

    /// Moves a step: first on disk, then in the report. Where its token is done, it waits for the database.
    pub(crate) async fn move_step(&self, api: &ApiName, state: StepState) -> Result<(), StoreError> {
        match self.move_step_at_once(api, state.clone()).await {
            Err(StoreError::Failed { .. }) if state == StepState::Done => {
                self.move_step_patiently(api, state).await
            }
            moved => moved,
        }
    }

    /// The same without waiting for a database that fails.
    pub(crate) async fn move_step_at_once(&self, api: &ApiName, state: StepState) -> Result<(), StoreError> {
        let (run, account) = self.with(|record| {
            let step = record.steps.iter().find(|step| step.api == *api);
            (record.id, step.map(|step| step.account.clone()))
        });
        let (reason, words) = state.reason();
        let detail = [Some(state.as_str()), reason, words]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ");
        let mut audit = AuditEntry::new(self.clock.now(), AuditKind::StepChanged, detail).in_run(run);
        audit.api = Some(api.clone());
        audit.account = account;
        self.runs.save_step(run, api, &state, &audit).await?;
        self.with(|record| {
            if let Some(step) = record.steps.iter_mut().find(|step| step.api == *api) {
                step.state = state.clone();
            }
        });
        self.events.emit(Event::StepChanged {
            run,
            api: api.clone(),
            state,
        });
        Ok(())
    }

    /// The token is here, and in the spool if need be: a database that accepts changes again soon ends no run.
    async fn move_step_patiently(&self, api: &ApiName, state: StepState) -> Result<(), StoreError> {
        let began = Instant::now();
        loop {
            sleep(STORAGE_PAUSE).await;
            // The token first: a step is done when its token is stored.
            let moved = match self.spool.import(self.clock.now()).await {
                Ok(_) => self.move_step_at_once(api, state.clone()).await,
                Err(error) => Err(error),
            };
            match moved {
                Err(StoreError::Failed { .. }) if began.elapsed() < STORAGE_PATIENCE => {}
                moved => return moved,
            }
        }
    }

    /// Whether this step's turn has not come yet, or comes again.
    pub(crate) fn is_pending(&self, api: &ApiName) -> bool {
        self.with(|record| {
            let mut steps = record.steps.iter();
            steps.any(|step| step.api == *api && step.state == StepState::Pending)
        })
    }

    /// The first account's turn has come.
    pub(crate) async fn set_out(&self) -> Result<(), StoreError> {
        if self.with(|record| record.state) == RunState::Planned {
            let why = "running: the first sign-in begins".into();
            self.change(RunState::Running, AuditKind::RunMoved, why).await?;
        }
        Ok(())
    }

    /// No account can go on now.
    pub(crate) async fn wait(&self, wait: &Wait) -> Result<(), StoreError> {
        let until = in_ist(wait.until).format("%H:%M:%S");
        let why = format!(
            "waiting: account {} is {}, until {until} IST",
            wait.account, wait.cause
        );
        self.change(RunState::Waiting, AuditKind::RunMoved, why).await?;
        self.events.emit(Event::RunWaits {
            run: self.run(),
            wait: wait.clone(),
        });
        Ok(())
    }

    /// The wait is over.
    pub(crate) async fn go_on(&self) -> Result<(), StoreError> {
        self.change(
            RunState::Running,
            AuditKind::RunMoved,
            "running: the wait is over".into(),
        )
        .await?;
        self.events.emit(Event::RunGoesOn { run: self.run() });
        Ok(())
    }

    /// Ends the run in the state that its steps call for, or as cancelled by the operator. It is not completed when a token
    /// that it had is not servable any more: somebody found it dead meanwhile, or 03:30 IST came.
    pub(crate) async fn end(
        self,
        is_cancelled: bool,
        servable: &HashSet<ApiName>,
    ) -> Result<RunRecord, StoreError> {
        let (state, why) = self.with(|record| {
            let settled = record.steps.iter().filter(|step| step.state.is_settled());
            let lost: Vec<&str> = settled
                .filter(|step| !servable.contains(&step.api))
                .map(|step| step.api.as_str())
                .collect();
            let state = match RunRecord::end_state(&record.steps) {
                RunState::Completed if !lost.is_empty() => RunState::Incomplete,
                state => state,
            };
            let state = match state {
                RunState::Incomplete if is_cancelled => RunState::Cancelled,
                state => state,
            };
            let mut why = format!("{} of {} steps settled", record.settled(), record.steps.len());
            if !lost.is_empty() {
                why = format!("{why}; not servable any more: {}", lost.join(", "));
            }
            (state, why)
        });
        self.move_run(state, why).await
    }

    /// Ends a run whose process died: one of today can be taken up again, an older one cannot.
    pub(crate) async fn end_left_over(self) -> Result<RunRecord, StoreError> {
        let started_at = self.with(|record| record.started_at);
        let is_of_today = started_at >= expiry::day_start(self.clock.now());
        let state = if is_of_today {
            RunState::Incomplete
        } else {
            RunState::Abandoned
        };
        self.move_run(state, "its process ended before the run did".into())
            .await
    }

    /// Gives an incomplete run up whose tokens died at 03:30 IST.
    pub(crate) async fn abandon(self) -> Result<RunRecord, StoreError> {
        let (settled, of) = self.with(|record| (record.settled(), record.steps.len()));
        let why = format!("03:30 IST came after {settled} of {of} steps");
        self.move_run(RunState::Abandoned, why).await
    }

    async fn move_run(self, state: RunState, why: String) -> Result<RunRecord, StoreError> {
        let run = self.run();
        let why = format!("{}: {why}", state.as_str());
        let now = self.change(state, AuditKind::RunEnded, why).await?;
        self.events.emit(Event::RunEnded { run, state });
        let mut record = self
            .record
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        record.state = state;
        record.finished_at = Some(now);
        Ok(record)
    }

    async fn change(&self, to: RunState, kind: AuditKind, why: String) -> Result<DateTime<Utc>, StoreError> {
        let (run, now) = (self.run(), self.clock.now());
        let audit = AuditEntry::new(now, kind, why).in_run(run);
        self.runs.move_run(run, to, &audit).await?;
        self.with(|record| record.state = to);
        Ok(now)
    }

    fn with<T>(&self, look: impl FnOnce(&mut RunRecord) -> T) -> T {
        look(
            &mut self
                .record
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

/// Records the states of one step.
pub(crate) struct Step<'s, 'a> {
    progress: &'s RunProgress<'a>,
    api: &'s ApiName,
}

#[async_trait]
impl StepRecorder for Step<'_, '_> {
    async fn record(&self, state: StepState) -> Result<(), StoreError> {
        self.progress.move_step(self.api, state).await
    }
}
