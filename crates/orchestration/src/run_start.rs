//! How a run begins: anew, or as today's incomplete one that is taken up again or needs nothing more. The caller holds the
//! sign-in lease.

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::ids::RunId;
use vega_domain::plan::Plan;
use vega_domain::ports::{EventSink, LeaseError, StoreError};
use vega_domain::resume;
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};

use crate::run_context::RunDependencies;
use crate::run_error::RunError;
use crate::run_progress::RunProgress;
use crate::run_queries::RunQueries;

/// Begins runs.
pub(crate) struct RunStart<'d>(pub(crate) &'d RunDependencies);

impl<'d> RunStart<'d> {
    /// Begins the run of a confirmed plan. A forced plan is a run of its own: it is about tokens that are good.
    pub(crate) async fn begin_or_take_up(&self, plan: &Plan) -> Result<RunProgress<'d>, StoreError> {
        match RunQueries(self.0).open().await? {
            Some(run) if plan.force().is_none() => {
                let servable = self.0.servable().await?;
                let steps = resume::steps(&run, plan.apis(), |api| servable.contains(api));
                self.take_up(run, steps, &planned(plan)).await
            }
            _ => self.begin(plan).await,
        }
    }

    /// Completes today's incomplete run where every one of its tokens can be used by now. Does nothing while another
    /// process signs in. Returns the run if it was completed.
    pub(crate) async fn complete_if_settled(&self) -> Result<Option<RunRecord>, RunError> {
        let Some(run) = RunQueries(self.0).open().await? else {
            return Ok(None);
        };
        let servable = self.0.servable().await?;
        let Some(steps) = resume::settled_steps(&run, |api| servable.contains(api)) else {
            return Ok(None);
        };
        let _lease = match self.0.ports.lease.acquire().await {
            Ok(lease) => lease,
            Err(LeaseError::Held(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let progress = self.take_up(run, steps, "every token was found good").await?;
        let record = progress.end(false, &servable).await?;
        self.0.keep_checkpoint(record.id).await;
        Ok(Some(record))
    }

    async fn begin(&self, plan: &Plan) -> Result<RunProgress<'d>, StoreError> {
        let now = self.0.now();
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
        self.0.ports.runs.begin(&record, &audit).await?;
        self.tell_start(&record);
        Ok(self.0.progress_of(record))
    }

    async fn take_up(
        &self,
        run: RunRecord,
        steps: Vec<StepRecord>,
        why: &str,
    ) -> Result<RunProgress<'d>, StoreError> {
        let (settled, of) = (run.settled(), run.steps.len());
        let why = format!("{settled} of {of} steps were settled; {why}");
        let audit = AuditEntry::new(self.0.now(), AuditKind::RunTakenUp, why).in_run(run.id);
        let record = RunRecord {
            state: RunState::Running,
            finished_at: None,
            steps,
            ..run
        };
        self.0.ports.runs.take_up(&record, &audit).await?;
        self.tell_start(&record);
        Ok(self.0.progress_of(record))
    }

    fn tell_start(&self, record: &RunRecord) {
        self.0.ports.events.emit(Event::RunStarted {
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
