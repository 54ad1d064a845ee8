//! `/runs` and `/verifications`: start or join a run, read it, cancel it; verify the stored tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use vega_api_types::{AcceptedView, ApisView, RunBody, RunView, VerificationBody};
use vega_domain::accounts::ApiSelection;
use vega_domain::ids::{ApiName, RunId};
use vega_domain::plan::{ForceReason, Wanted};
use vega_orchestration::{GenerationRequest, RunError, WaitPolicy};

use crate::api::asked_token::unknown_api;
use crate::auth::principal::Principal;
use crate::http::error_responses::{BodyErrorResponses, ErrorResponses};
use crate::http::extract::{self, Body};
use crate::http::problem::Problem;
use crate::server::Server;
use crate::state::{current_run, dashboard_refresh};
use vega_api_types::{ProblemCode, ProblemView};

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let code = if error.is_elsewhere() {
            ProblemCode::HeldElsewhere
        } else {
            ProblemCode::Storage
        };
        Self::new(code, error.to_string())
    }
}

type Accepted = (StatusCode, [(HeaderName, String); 1], Json<AcceptedView>);

/// Asks for new tokens. Nothing is signed in for before a human has said yes to the plan (see the run's prompt). A second
/// call joins the run that is under way.
#[utoipa::path(post, path = "/api/v1/runs", operation_id = "startRun", tag = "runs", request_body = RunBody,
    responses((status = 202, description = "Asked for, or joined", body = AcceptedView,
            headers(("Location" = String, description = "The run"))),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Another process signs in", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn start(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Body(body): Body<RunBody>,
) -> Result<Accepted, Problem> {
    let wanted = request_of(body, &server)?;
    if server.requests.under_way().is_none() {
        match server.vega.orchestrator.prove_turn().await {
            // Held by this server itself, which recovers or has just ended a run: the request waits for that.
            Err(RunError::Held(Some(holder))) if holder.is_this_process => {}
            Err(error) => return Err(current_run::held(&server, error).await),
            Ok(()) => {}
        }
    }
    let made = server
        .requests
        .make_or_join(wanted, principal.name(), server.vega.clock.now());
    let (request, joined) = made.ok_or_else(stopping)?;
    if !joined {
        let (server, request) = (Arc::clone(&server), Arc::clone(&request));
        server.tasks.clone().spawn(async move {
            server
                .requests
                .carry_out(&request, &server.vega, &server.prompts)
                .await;
        });
    }
    let run = request.view(None, &server.prompts);
    let location = [(header::LOCATION, format!("/api/v1/runs/{}", request.id))];
    Ok((StatusCode::ACCEPTED, location, Json(AcceptedView { joined, run })))
}

fn request_of(body: RunBody, server: &Server) -> Result<GenerationRequest, Problem> {
    let reason = body.reason.map(ForceReason::new).transpose();
    let reason = reason.map_err(|error| Problem::new(ProblemCode::WrongBody, error.to_string()))?;
    let force = match (body.force, reason) {
        (true, Some(reason)) => Some(reason),
        (true, None) => {
            let words = "To force needs a reason, which goes on record.";
            return Err(Problem::new(ProblemCode::WrongBody, words));
        }
        (false, _) => None,
    };
    Ok(GenerationRequest {
        apis: ApiSelection::named(configured(server, body.apis)?),
        force,
        again: configured(server, body.again)?,
        wait_policy: if body.wait.unwrap_or(true) {
            WaitPolicy::Wait
        } else {
            WaitPolicy::NoWait
        },
    })
}

fn configured(server: &Server, names: Vec<String>) -> Result<Vec<ApiName>, Problem> {
    let names = names.into_iter().map(|name| {
        ApiName::new(name)
            .ok()
            .filter(|name| server.vega.settings.accounts.find(name).is_some())
            .ok_or_else(|| unknown_api(server))
    });
    names.collect()
}

fn stopping() -> Problem {
    Problem::new(
        ProblemCode::Stopping,
        "The server is being stopped. Ask again when it runs.",
    )
}

fn no_run() -> Problem {
    Problem::new(
        ProblemCode::NoRun,
        "There is no such run. POST /api/v1/runs asks for one.",
    )
}

/// The run that is under way, or the last one.
#[utoipa::path(get, path = "/api/v1/runs/current", operation_id = "getCurrentRun", tag = "runs",
    responses((status = 200, description = "The run", body = RunView),
        (status = 404, description = "There was none yet", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn get_current(State(server): State<Arc<Server>>) -> Result<Json<RunView>, Problem> {
    current_run::current(&server).await?.map(Json).ok_or_else(no_run)
}

/// One run, by the id that asking for it gave, or by its id in the audit trail.
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "getRun", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunView),
        (status = 404, description = "There is no such run", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn get(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Json<RunView>, Problem> {
    let id = extract::run_id(&id)?;
    if let Some(request) = server.requests.find(id) {
        return Ok(Json(current_run::view_of(&server, &request).await?));
    }
    let record = server.vega.orchestrator.runs().find(RunId::from_uuid(id)).await?;
    record.as_ref().map(RunView::stored).map(Json).ok_or_else(no_run)
}

/// Ends a run, here or in another process. What is stored stays; the run can be taken up again today.
#[utoipa::path(delete, path = "/api/v1/runs/{id}", operation_id = "cancelRun", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 202, description = "It ends as soon as a commit under way is finished"),
        (status = 404, description = "There is no such run", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = ProblemView, content_type = "application/problem+json"), ErrorResponses))]
pub(crate) async fn cancel(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = extract::run_id(&id)?;
    let over = || {
        Problem::new(
            ProblemCode::RunOver,
            "The run is over: there is nothing to cancel.",
        )
    };
    let orchestrator = &server.vega.orchestrator;
    if let Some(request) = server.requests.find(id) {
        if request.is_over() {
            return Err(over());
        }
        request.cancel.cancel();
        return Ok(StatusCode::ACCEPTED);
    }
    match orchestrator.runs().find(RunId::from_uuid(id)).await? {
        None => Err(no_run()),
        Some(record) if record.state.is_active() => {
            orchestrator.runs().request_cancel().await?;
            Ok(StatusCode::ACCEPTED)
        }
        Some(_) => Err(over()),
    }
}

/// Asks Upstox about the stored tokens now, all at once. Nothing is signed in for.
#[utoipa::path(post, path = "/api/v1/verifications", operation_id = "verify", tag = "runs",
    request_body = VerificationBody,
    responses((status = 200, description = "How they stand now", body = ApisView),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Another process signs in", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn verify(
    State(server): State<Arc<Server>>,
    Body(body): Body<VerificationBody>,
) -> Result<Json<ApisView>, Problem> {
    let apis = ApiSelection::named(configured(&server, body.apis)?);
    if server.requests.is_closed() {
        return Err(stopping());
    }
    // A task of its own, so that a disconnect does not cancel it: it may be recovering a dead run.
    let asked = Arc::clone(&server);
    let task = server.tasks.spawn(async move {
        let wanted = Wanted {
            apis: &apis,
            ..Wanted::default()
        };
        asked.vega.orchestrator.verify(wanted).await.map(drop)
    });
    match task.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(current_run::held(&server, error).await),
        Err(error) => return Err(Problem::new(ProblemCode::Unexpected, error.to_string())),
    }
    let (now, _) = dashboard_refresh::read(&server).await?;
    Ok(Json(now.apis()))
}
