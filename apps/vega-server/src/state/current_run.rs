//! Which run to show as the current one: requests of this process and runs on record, which may be of other processes, and where
//! these ask their questions.

use uuid::Uuid;
use vega_api_types::{ProblemCode, RunView};
use vega_domain::ids::RunId;
use vega_domain::machine::LeaseHolderAt;
use vega_domain::ports::StoreError;
use vega_domain::run::RunRecord;
use vega_orchestration::RunError;

use crate::http::problem::Problem;
use crate::server::Server;
use crate::state::run_request::RunRequest;

/// The run to show now: the one that is under way here or elsewhere, else the one that was asked for last, else the last one
/// on record.
pub(crate) async fn current(server: &Server) -> Result<Option<RunView>, StoreError> {
    let orchestrator = &server.vega.orchestrator;
    let request = server.requests.newest();
    let active = orchestrator.runs().active().await?;
    let stored = match active {
        Some(active) => Some(active),
        None => orchestrator.runs().newest().await?,
    };
    let Some(request) = request else {
        return match stored {
            Some(stored) => stored_view(server, &stored).await.map(Some),
            None => Ok(None),
        };
    };
    // Another process may have done more since.
    let is_later = |run: &RunRecord| {
        let moved = run.finished_at.unwrap_or(run.started_at);
        run.state.is_active() || (request.run() != Some(run.id) && moved > request.asked_at())
    };
    if let Some(later) = stored.filter(|stored| request.is_over() && is_later(stored)) {
        return stored_view(server, &later).await.map(Some);
    }
    Ok(Some(view_of(server, &request).await?))
}

/// A run that nobody asked this process for, with where its questions are asked.
async fn stored_view(server: &Server, record: &RunRecord) -> Result<RunView, StoreError> {
    let view = RunView::stored(record);
    if !view.elsewhere {
        return Ok(view);
    }
    let holder = server.vega.stored.lease_holder().await?;
    Ok(RunView {
        asks_at: holder.and_then(|at| elsewhere(server, at.url)),
        ..view
    })
}

/// Where another server is. Two behind one name are reached there by chance: that leads nowhere, also where one of them has a name of its
/// own.
fn elsewhere(server: &Server, url: Option<String>) -> Option<String> {
    let shared = server.vega.settings.server.url();
    url.filter(|url| server.url.as_ref() != Some(url) && *url != shared)
}

/// The problem of whoever asks here for the questions of a run: another process carries it out, or there is none.
pub(crate) async fn asked_elsewhere(server: &Server, id: Uuid) -> Problem {
    match find_elsewhere(server, id).await {
        Ok(Some(LeaseHolderAt { holder, url })) => {
            let url = elsewhere(server, url);
            let place = url.as_deref().map_or_else(String::new, |url| format!(": {url}/"));
            let words = format!("{holder} carries this run out, and its questions are asked there{place}");
            Problem::new(ProblemCode::HeldElsewhere, words).at(url)
        }
        Ok(None) => Problem::new(ProblemCode::NoRun, "No run that was asked for here has this id."),
        Err(error) => error.into(),
    }
}

async fn find_elsewhere(server: &Server, id: Uuid) -> Result<Option<LeaseHolderAt>, StoreError> {
    let run = server.vega.orchestrator.runs().find(RunId::from_uuid(id)).await?;
    if !run.is_some_and(|run| run.state.is_active()) {
        return Ok(None);
    }
    let holder = server.vega.stored.lease_holder().await?;
    Ok(holder.filter(|at| !at.holder.is_this_process))
}

/// The problem of whoever asks for what another process must end first.
pub(crate) async fn held(server: &Server, error: RunError) -> Problem {
    let is_held = matches!(error, RunError::Held(_));
    let problem = Problem::from(error);
    if !is_held {
        return problem;
    }
    let holder = server.vega.stored.lease_holder().await.ok().flatten();
    problem.at(holder.and_then(|at| elsewhere(server, at.url)))
}

/// A request together with the stored record of its run.
pub(crate) async fn view_of(server: &Server, request: &RunRequest) -> Result<RunView, StoreError> {
    let record = match request.run() {
        Some(run) => server.vega.orchestrator.runs().find(run).await?,
        None => None,
    };
    Ok(request.view(record.as_ref(), &server.prompts))
}
