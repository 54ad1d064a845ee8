//! How a run begins: anew, or as today's incomplete one that is taken up again; and what becomes of incomplete runs from
//! before the last 03:30 IST. The caller holds the sign-in lease.

use std::collections::HashSet;

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::plan::Plan;
use vega_domain::ports::{EventSink, LeaseError, StoreError};
use vega_domain::resume;
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};

use crate::resume_orchestrator::{ResumeOrchestrator, RunError};
use crate::run_progress::RunProgress;

impl ResumeOrchestrator {
    /// The run of today that ended incomplete, if there is one: the newest.
    pub async fn open_run(&self) -> Result<Option<RunRecord>, StoreError> {
        let now = self.ports.clock.now();
        let mut incomplete = self.ports.runs.incomplete().await?.into_iter();
        Ok(incomplete.find(|run| resume::is_open(run, now)))
    }

    /// Incomplete runs whose tokens died at 03:30 IST.
    pub(crate) async fn overdue_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        let now = self.ports.clock.now();
        let mut incomplete = self.ports.runs.incomplete().await?;
        incomplete.retain(|run| !resume::is_open(run, now));
        Ok(incomplete)
    }

    /// Nobody goes on with runs of an earlier day: what they made is dead.
    pub(crate) async fn abandon_overdue_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut abandoned = Vec::new();
        for run in self.overdue_runs().await? {
            abandoned.push(self.progress_of(run).abandon().await?);
        }
        Ok(abandoned)
    }

    /// Begins the run of a confirmed plan. A forced plan is a run of its own: it is about tokens that are good.
    pub(crate) async fn begin_or_take_up(&self, plan: &Plan) -> Result<RunProgress<'_>, StoreError> {
        match self.open_run().await? {
            Some(run) if plan.force().is_none() => {
                let servable = self.servable().await?;
                let steps = resume::steps(&run, plan, |api| servable.contains(api));
                self.take_up(run, steps, &planned(plan)).await
            }
            _ => self.begin(plan).await,
        }
    }

    /// Completes today's incomplete run where every one of its tokens can be used by now. Does nothing while another
    /// process signs in. Returns the run if it was completed.
    pub(crate) async fn complete_if_settled(&self) -> Result<Option<RunRecord>, RunError> {
        let Some(run) = self.open_run().await? else {
            return Ok(None);
        };
        let servable = self.servable().await?;
        let Some(steps) = resume::settled_steps(&run, |api| servable.contains(api)) else {
            return Ok(None);
        };
        let _lease = match self.ports.lease.acquire().await {
            Ok(lease) => lease,
            Err(LeaseError::Held(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let progress = self.take_up(run, steps, "every token was found good").await?;
        let record = progress.end(false, &servable).await?;
        self.keep_head(record.id).await;
        Ok(Some(record))
    }

    pub(crate) async fn servable(&self) -> Result<HashSet<ApiName>, StoreError> {
        let statuses = self.validity.statuses().await?;
        let servable = statuses.into_iter().filter(|status| status.servable);
        Ok(servable.map(|status| status.api).collect())
    }

    async fn begin(&self, plan: &Plan) -> Result<RunProgress<'_>, StoreError> {
        let now = self.ports.clock.now();
        let record = RunRecord {
            id: RunId::at(now),
            state: RunState::Planned,
            started_at: now,
            finished_at: None,
            steps: plan
                .apis()
                .iter()
                .map(|planned| StepRecord {
                    api: planned.api.clone(),
                    account: planned.account.clone(),
                    state: StepState::Pending,
                })
                .collect(),
        };
        let audit = AuditEntry::new(now, AuditKind::RunStarted, planned(plan)).in_run(record.id);
        self.ports.runs.begin(&record, &audit).await?;
        self.tell_start(&record);
        Ok(self.progress_of(record))
    }

    async fn take_up(
        &self,
        run: RunRecord,
        steps: Vec<StepRecord>,
        why: &str,
    ) -> Result<RunProgress<'_>, StoreError> {
        let (settled, of) = (run.settled(), run.steps.len());
        let why = format!("{settled} of {of} steps were settled; {why}");
        let audit = AuditEntry::new(self.ports.clock.now(), AuditKind::RunTakenUp, why).in_run(run.id);
        let record = RunRecord {
            state: RunState::Running,
            finished_at: None,
            steps,
            ..run
        };
        self.ports.runs.take_up(&record, &audit).await?;
        self.tell_start(&record);
        Ok(self.progress_of(record))
    }

    fn tell_start(&self, record: &RunRecord) {
        self.ports.events.emit(Event::RunStarted {
            run: record.id,
            open: record.steps.iter().filter(|step| !step.state.is_final()).count(),
            settled: record.settled(),
        });
    }
}

fn planned(plan: &Plan) -> String {
    let words = plan.apis().iter();
    let words: Vec<String> = words
        .map(|planned| format!("{} ({})", planned.api, planned.cause.as_str()))
        .collect();
    words.join(", ")
}
