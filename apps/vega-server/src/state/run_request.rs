//! Requested runs of this process: one at a time, and who asks meanwhile joins. Keeps where each request stands, for the API and
//! the dashboard. What a request does from verifying to its outcome is decided in `orchestration`.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vega_api_types::codes::{OutcomeCode, RunState};
use vega_api_types::{Outcome, PlanView, RunView, WaitView};
use vega_bootstrap::Vega;
use vega_domain::event::Event;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::RunId;
use vega_domain::plan::Decision;
use vega_domain::run::{self, RunRecord};
use vega_orchestration::{self as orchestration, GenerationRequest};

use crate::state::notices::Notices;
use crate::state::prompt_queue::PromptQueue;

/// How many ended requests can still be looked up.
const REMEMBERED: usize = 32;

/// Where a request stands.
#[derive(Debug, Clone)]
enum Stage {
    Verifying,
    Confirming(PlanView),
    Running(PlanView, Option<RunId>),
    Ended(Ending, Option<PlanView>),
}

/// How a request ended.
#[derive(Debug, Clone)]
enum Ending {
    Ran(RunId, run::RunState),
    /// It began, and Vega could not carry it to its end; the next one takes it up.
    BrokeOff(RunId, Outcome),
    /// Nothing was begun.
    NotBegun(RunState, Outcome),
}

/// One request.
pub(crate) struct RunRequest {
    pub(crate) id: Uuid,
    pub(crate) cancel: CancellationToken,
    asked_at: DateTime<Utc>,
    wanted: GenerationRequest,
    /// Who asks, for people who look at it.
    asked_by: String,
    stage: Mutex<Stage>,
    notices: Notices,
}

/// The requests of this process.
pub(crate) struct RunRequests {
    known: Mutex<VecDeque<Arc<RunRequest>>>,
    /// The server ends: what began now would be cut off.
    is_closed: AtomicBool,
    changes: watch::Sender<u64>,
}

impl RunRequests {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::default(),
            is_closed: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        }
    }

    /// Counts the changes of requests.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The newest one, over or not.
    pub(crate) fn newest(&self) -> Option<Arc<RunRequest>> {
        self.known().back().cloned()
    }

    /// The one that is under way.
    pub(crate) fn under_way(&self) -> Option<Arc<RunRequest>> {
        self.newest().filter(|request| !request.is_over())
    }

    /// By its own id or, while it is under way, by that of its run.
    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<RunRequest>> {
        let runs_it =
            |request: &RunRequest| !request.is_over() && request.run() == Some(RunId::from_uuid(id));
        let known = self.known();
        known
            .iter()
            .find(|request| request.id == id || runs_it(request))
            .cloned()
    }

    /// From now on no request is taken.
    pub(crate) fn take_no_more(&self) {
        let _one_after_the_other = self.known();
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Makes one, or joins the one that is under way; whether it was joined. `None` when the server ends.
    pub(crate) fn make_or_join(
        &self,
        wanted: GenerationRequest,
        asked_by: String,
        asked_at: DateTime<Utc>,
    ) -> Option<(Arc<RunRequest>, bool)> {
        let mut known = self.known();
        if self.is_closed() {
            return None;
        }
        if let Some(request) = known.back().filter(|request| !request.is_over()) {
            return Some((Arc::clone(request), true));
        }
        let request = Arc::new(RunRequest {
            id: Uuid::new_v4(),
            cancel: CancellationToken::new(),
            asked_at,
            wanted,
            asked_by,
            stage: Mutex::new(Stage::Verifying),
            notices: Notices::default(),
        });
        known.push_back(Arc::clone(&request));
        if known.len() > REMEMBERED {
            known.pop_front();
        }
        drop(known);
        self.tell();
        Some((request, false))
    }

    /// Carries a request out.
    pub(crate) async fn carry_out(&self, request: &RunRequest, vega: &Vega, prompts: &PromptQueue) {
        let through = AssertUnwindSafe(self.through(request, vega, prompts));
        // One that panicked must not be joined for ever.
        let (ending, plan) = through.catch_unwind().await.unwrap_or_else(|_| {
            let words = "Vega failed here; its log says where. What was stored stays: ask again.";
            (request.failed(OutcomeCode::Unexpected, words.into()), None)
        });
        self.enter(request, Stage::Ended(ending, plan));
    }

    async fn through(
        &self,
        request: &RunRequest,
        vega: &Vega,
        prompts: &PromptQueue,
    ) -> (Ending, Option<PlanView>) {
        let mut events = vega.listen();
        let plan = Mutex::new(None);
        let enter = |stage: orchestration::Stage<'_>| match stage {
            orchestration::Stage::Verified(verified) => {
                if let Decision::SignIn(planned) = &verified.decision {
                    *locked(&plan) = Some(PlanView::from(planned));
                }
            }
            orchestration::Stage::Confirming(planned) => {
                self.enter(request, Stage::Confirming(PlanView::from(planned)));
            }
            orchestration::Stage::Running => {
                if let Some(view) = locked(&plan).clone() {
                    self.enter(request, Stage::Running(view, None));
                }
            }
        };
        let generate = vega
            .orchestrator
            .generate(&request.wanted, prompts, &request.cancel, &enter);
        tokio::pin!(generate);
        let outcome = loop {
            tokio::select! {
                outcome = &mut generate => break outcome,
                event = events.recv() => match event {
                    Ok(Event::RunStarted { run, .. }) => {
                        let stage = request.stage().clone();
                        if let Stage::Running(view, None) = stage {
                            self.enter(request, Stage::Running(view, Some(run)));
                        }
                    }
                    Ok(Event::Noticed { api, notice }) => {
                        request.notices.note(&api, notice, vega.clock.now());
                        self.tell();
                    }
                    _ => {}
                },
            }
        };
        let view = locked(&plan).take();
        (ending_of(request, &outcome), view)
    }

    fn enter(&self, request: &RunRequest, stage: Stage) {
        *request.stage() = stage;
        self.tell();
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Arc<RunRequest>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ending_of(request: &RunRequest, outcome: &orchestration::Outcome) -> Ending {
    use orchestration::Outcome as O;
    if let O::Ran(finished) = outcome {
        return Ending::Ran(finished.run.id, finished.run.state);
    }
    let code = outcome.code().map_or(OutcomeCode::Unexpected, OutcomeCode::from);
    if let O::Failed(error) = outcome {
        return request.failed(code, error.to_string());
    }
    let detail = match code {
        OutcomeCode::Unanswered => {
            "Nobody said yes to the plan in time, so nothing was done. Ask again when you are there.".into()
        }
        _ => outcome.words(),
    };
    let state = match code {
        OutcomeCode::AllValid => RunState::NotNeeded,
        _ => RunState::NotBegun,
    };
    Ending::NotBegun(state, Outcome { code, detail })
}

impl RunRequest {
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.stage(), Stage::Ended(..))
    }

    /// The run in the database, as soon as there is one.
    pub(crate) fn run(&self) -> Option<RunId> {
        match *self.stage() {
            Stage::Running(_, run) => run,
            Stage::Ended(Ending::Ran(run, _) | Ending::BrokeOff(run, _), _) => Some(run),
            _ => None,
        }
    }

    /// The end of one that failed where it stands now.
    fn failed(&self, code: OutcomeCode, detail: String) -> Ending {
        let outcome = Outcome { code, detail };
        match self.run() {
            Some(run) => Ending::BrokeOff(run, outcome),
            None => Ending::NotBegun(RunState::NotBegun, outcome),
        }
    }

    /// When it was asked for.
    pub(crate) fn asked_at(&self) -> DateTime<Utc> {
        self.asked_at
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it looks now, with what the database has of its run.
    pub(crate) fn view(&self, record: Option<&RunRecord>, prompts: &PromptQueue) -> RunView {
        let stored = record.map(|record| RunState::from(record.state));
        let (state, plan, outcome) = match self.stage().clone() {
            Stage::Verifying => (RunState::Verifying, None, None),
            Stage::Confirming(plan) => (RunState::Confirming, Some(plan), None),
            Stage::Running(plan, _) => (stored.unwrap_or(RunState::Planned), Some(plan), None),
            Stage::Ended(Ending::Ran(_, ended), plan) => (stored.unwrap_or(ended.into()), plan, None),
            Stage::Ended(Ending::BrokeOff(_, outcome), plan) => {
                (stored.unwrap_or(RunState::Incomplete), plan, Some(outcome))
            }
            Stage::Ended(Ending::NotBegun(word, outcome), plan) => (word, plan, Some(outcome)),
        };
        let wait = (!self.is_over()).then(|| prompts.wait()).flatten();
        let steps = record.map(|record| record.steps.as_slice()).unwrap_or_default();
        let left = steps.iter().filter(|step| !step.state.is_final()).count();
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let takes = plan.as_ref().and_then(|plan| plan.takes_seconds);
        let finish = takes.zip(record.filter(|_| !self.is_over()));
        let finish = finish.map(|(takes, record)| record.started_at + TimeDelta::seconds(takes));
        RunView {
            id: self.id.to_string(),
            state,
            under_way: !self.is_over(),
            asked_at: Some(rfc3339_ist(self.asked_at)),
            asked_by: Some(self.asked_by.clone()),
            finish: finish.map(rfc3339_ist),
            finish_unix: finish.map(|at| at.timestamp()),
            notices: self.notices.shown(),
            plan,
            wait: wait.as_ref().map(|wait| WaitView::of(wait, left)),
            outcome,
            ..RunView::stored_or_none(record)
        }
    }
}

#[cfg(test)]
mod tests {
    use vega_domain::accounts::ApiSelection;
    use vega_orchestration::WaitPolicy;
    use vega_testing::builders;

    use super::*;

    fn wanted() -> GenerationRequest {
        GenerationRequest {
            apis: ApiSelection::All,
            force: None,
            again: Vec::new(),
            wait_policy: WaitPolicy::Wait,
        }
    }

    fn plan() -> PlanView {
        PlanView::from(&builders::plan(&["PRIMARY"]))
    }

    fn ended(ending: Ending) -> Stage {
        Stage::Ended(ending, None)
    }

    #[test]
    fn who_comes_second_joins_and_after_the_end_nobody_does() {
        let requests = RunRequests::new();
        let made =
            |requests: &RunRequests| requests.make_or_join(wanted(), "a test".into(), DateTime::UNIX_EPOCH);
        let (first, joined) = made(&requests).unwrap();
        assert!(!joined);
        let (second, joined) = made(&requests).unwrap();
        assert!(joined && second.id == first.id);
        requests.enter(&first, ended(first.failed(OutcomeCode::Storage, String::new())));
        let (third, joined) = made(&requests).unwrap();
        assert!(!joined && third.id != first.id);
        requests.take_no_more();
        assert!(made(&requests).is_none(), "not even to join: the server ends");
    }

    #[test]
    fn a_run_that_began_and_failed_is_no_run_that_was_not_begun() {
        let requests = RunRequests::new();
        let (request, _) = requests
            .make_or_join(wanted(), "a test".into(), DateTime::UNIX_EPOCH)
            .unwrap();
        let prompts = PromptQueue::new(std::time::Duration::ZERO);
        let view = || request.view(None, &prompts);
        requests.enter(
            &request,
            ended(request.failed(OutcomeCode::Storage, "words".into())),
        );
        assert_eq!((view().state, request.run()), (RunState::NotBegun, None));

        let run = RunId::at(DateTime::UNIX_EPOCH);
        requests.enter(&request, Stage::Running(plan(), Some(run)));
        assert!(requests.find(run.as_uuid()).is_some(), "by its run, too");
        requests.enter(
            &request,
            ended(request.failed(OutcomeCode::Storage, "words".into())),
        );
        assert_eq!((view().state, request.run()), (RunState::Incomplete, Some(run)));
        assert_eq!(view().outcome.unwrap().code, OutcomeCode::Storage);
        assert!(
            requests.find(run.as_uuid()).is_none(),
            "others may have taken the run up since"
        );
    }
}
