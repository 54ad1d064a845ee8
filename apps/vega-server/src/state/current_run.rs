//! Which run to show as the current one: requests of this process and runs on record, which may be of other processes.

use vega_domain::ports::StoreError;
use vega_domain::run::RunRecord;

use crate::server::Server;
use crate::state::run_request::RunRequest;
use vega_api_types::RunView;

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
        return Ok(stored.as_ref().map(RunView::stored));
    };
    // Another process may have done more since.
    let is_later = |run: &RunRecord| {
        let moved = run.finished_at.unwrap_or(run.started_at);
        run.state.is_active() || (request.run() != Some(run.id) && moved > request.asked_at())
    };
    if let Some(later) = stored.filter(|stored| request.is_over() && is_later(stored)) {
        return Ok(Some(RunView::stored(&later)));
    }
    Ok(Some(view_of(server, &request).await?))
}

/// A request together with the stored record of its run.
pub(crate) async fn view_of(server: &Server, request: &RunRequest) -> Result<RunView, StoreError> {
    let record = match request.run() {
        Some(run) => server.vega.orchestrator.runs().find(run).await?,
        None => None,
    };
    Ok(request.view(record.as_ref(), &server.prompts))
}
