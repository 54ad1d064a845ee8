//! What one process is started for, from its start to its end or its death.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vega_domain::accounts::ApiSelection;
use vega_domain::ids::ApiName;
use vega_domain::plan::{Decision, ForceReason, Plan, Wanted};
use vega_domain::run::RunRecord;
use vega_orchestration::{Confirmation, RunError, WaitPolicy};

use crate::here::Here;
use crate::program::Program;
use crate::rules::Rule;

/// Longer than any run waits, a human away for hours included.
const ENDLESS: Duration = Duration::from_hours(14);
/// A run that is asked to end finishes a call under way at most.
const CANCELLED_WITHIN: Duration = Duration::from_mins(5);
/// The same where a process may be held up meanwhile.
const CANCELLED_BY_SEVERAL_WITHIN: Duration = Duration::from_mins(15);

/// What `generate` is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generate {
    pub(crate) apis: ApiSelection,
    pub(crate) again: Vec<ApiName>,
    pub(crate) force: bool,
    pub(crate) leaves: bool,
    /// Somebody ends it by Ctrl-C after so long.
    pub(crate) stopped_after: Option<Duration>,
}

/// What a process is started for.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    Generate(Generate),
    /// The same over and over, as a server does.
    Serve(Vec<(Duration, Generate)>),
    Cancel,
    Read,
}

/// What `generate` came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    AllValid,
    Otherwise,
}

/// Lives as long as the process does.
pub(crate) async fn play(here: Here, task: Task) {
    here.tell(&format!("starts: {task:?} by {:?}", here.process.manner));
    let life = timeout(ENDLESS, live(&here, task));
    tokio::select! {
        biased;
        () = here.process.gone() => return,
        ended = life => match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => here.tell(&format!("gives up: {error}")),
            Err(_) => here.broken(Rule::Hangs, "after 14 hours"),
        }
    }
    here.world.look();
    here.world.ends(&here.process);
}

async fn live(here: &Here, task: Task) -> Result<(), Arc<RunError>> {
    let program = Arc::new(Program::start(here.clone()).await.map_err(store)?);
    here.world.look();
    program.fulfil(task).await
}

fn store(error: vega_domain::ports::StoreError) -> Arc<RunError> {
    Arc::new(error.into())
}

impl Program {
    async fn fulfil(self: &Arc<Self>, task: Task) -> Result<(), Arc<RunError>> {
        match task {
            Task::Generate(wanted) => {
                self.generate(&wanted).await?;
            }
            Task::Serve(requests) => {
                let _beside = self.runs_on();
                self.serve(requests).await;
                // To drop that half-way may lose a token.
                self.orchestrator.recovered().await;
            }
            Task::Cancel => self.cancel().await?,
            Task::Read => {
                self.validity.statuses().await.map_err(store)?;
            }
        }
        Ok(())
    }

    async fn serve(&self, requests: Vec<(Duration, Generate)>) {
        for (after, wanted) in requests {
            sleep(after).await;
            self.here.stay().await;
            if let Err(error) = self.generate(&wanted).await {
                self.here.tell(&format!("goes on after: {error}"));
            }
        }
    }

    /// As `vega generate` does it.
    pub(crate) async fn generate(&self, wanted: &Generate) -> Result<Came, Arc<RunError>> {
        let here = &self.here;
        let force = ForceReason::new("a change of plans")
            .ok()
            .filter(|_| wanted.force);
        let asked = Wanted {
            apis: &wanted.apis,
            force: force.as_ref(),
            again: &wanted.again,
        };
        let verified = self.orchestrator.verify(asked).await.map_err(Arc::new)?;
        here.world.look();
        here.planned(&wanted.again);
        here.tell(&format!("decides: {}", words(&verified.decision)));
        let Decision::SignIn(plan) = verified.decision else {
            let is_all = verified.decision == Decision::AllValid;
            return Ok(if is_all { Came::AllValid } else { Came::Otherwise });
        };
        let confirmed = self.orchestrator.confirm(plan, &*self.operator).await;
        match confirmed.map_err(store)? {
            Confirmation::Start(plan) => self.run(*plan, wanted).await.map(|_| Came::Otherwise),
            other => {
                here.tell(&format!("starts nothing: {other:?}"));
                Ok(Came::Otherwise)
            }
        }
    }

    async fn run(&self, plan: Plan, wanted: &Generate) -> Result<RunRecord, Arc<RunError>> {
        let here = &self.here;
        let wait_policy = if wanted.leaves {
            WaitPolicy::NoWait
        } else {
            WaitPolicy::Wait
        };
        here.process.starts.fetch_add(1, Ordering::Relaxed);
        let handle = self.orchestrator.start(plan, wait_policy);
        if let Some(after) = wanted.stopped_after {
            let stopped = timeout(after, handle.outcome()).await;
            if stopped.is_err() && !here.process.is_gone() {
                here.tell("is stopped by Ctrl-C");
                handle.cancel();
                if timeout(here.cancelled_within(), handle.outcome()).await.is_err()
                    && !here.process.is_gone()
                {
                    here.broken(Rule::CancelIgnored, "by its own run");
                }
            }
        }
        let outcome = handle.outcome().await;
        here.stay().await;
        here.world.check_received(&here.process);
        here.world.look();
        match &outcome {
            Ok(run) => {
                let steps = run.steps.iter();
                let steps: Vec<String> = steps
                    .map(|step| format!("{} {}", step.api, step.state.as_str()))
                    .collect();
                here.tell(&format!(
                    "its run is {}: {}",
                    run.state.as_str(),
                    steps.join(", ")
                ));
            }
            Err(error) => here.tell(&format!("its run breaks off: {error}")),
        }
        if let Ok(closed) = self.cooldowns.closed().await {
            here.world.check_closed(&closed);
        }
        outcome
    }

    async fn cancel(&self) -> Result<(), Arc<RunError>> {
        let here = &self.here;
        let Some(run) = self.orchestrator.runs().request_cancel().await.map_err(store)? else {
            here.tell("finds no run to end");
            return Ok(());
        };
        let ended = timeout(here.cancelled_within(), async {
            while !self.orchestrator.has_ended(run).await? {
                sleep(Duration::from_millis(500)).await;
            }
            Ok::<_, RunError>(())
        });
        if let Ok(ended) = ended.await {
            return ended.map_err(Arc::new);
        }
        here.stay().await;
        here.broken(Rule::CancelIgnored, "by another process");
        Ok(())
    }
}

impl Here {
    fn cancelled_within(&self) -> Duration {
        if self.world.has_several_machines() {
            CANCELLED_BY_SEVERAL_WITHIN
        } else {
            CANCELLED_WITHIN
        }
    }
}

fn words(decision: &Decision) -> String {
    match decision {
        Decision::SignIn(plan) => {
            let apis = plan.apis().iter();
            let apis: Vec<String> = apis
                .map(|planned| {
                    let outcome = planned
                        .unresolved
                        .as_ref()
                        .map(|outcome| format!(" in unresolved: {}", outcome.reason));
                    format!(
                        "{} {}{}",
                        planned.api,
                        planned.cause.as_str(),
                        outcome.unwrap_or_default()
                    )
                })
                .collect();
            let stopped: Vec<&str> = plan.stopped().iter().map(|stop| stop.account.as_str()).collect();
            let taken_up = plan.taken_up().map_or("", |_| ", an open run is taken up");
            format!(
                "sign in for {}, stopped [{}]{taken_up}",
                apis.join(", "),
                stopped.join(", ")
            )
        }
        other => format!("{other:?}"),
    }
}
