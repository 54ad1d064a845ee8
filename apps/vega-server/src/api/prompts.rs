//! Prompts: what the operator is asked, and the answers. An answer is passed on once, never repeated or logged.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use uuid::Uuid;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::PromptKind as SecondFactorKind;

use crate::auth::principal::Principal;
use crate::http::error_responses::{BodyErrorResponses, ErrorResponses};
use crate::http::extract::{self, Body};
use crate::http::problem::Problem;
use crate::server::Server;
use crate::state::current_run;
use crate::state::prompt_queue::{PromptReply, RejectedReply};
use crate::state::prompt_view::{has_window, view_of};
use vega_api_types::{AnswerBody, ProblemCode, ProblemView, PromptsView};

/// The open prompts, each with its deadline.
#[utoipa::path(get, path = "/api/v1/runs/{id}/prompt", operation_id = "getPrompt", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The open questions", body = PromptsView),
        (status = 404, description = "There is no such run", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Another process asks them; `url` says where, if that is a server", body = ProblemView,
            content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn prompt(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Json<PromptsView>, Problem> {
    let id = extract::run_id(&id)?;
    let Some(request) = server.requests.find(id) else {
        return Err(current_run::asked_elsewhere(&server, id).await);
    };
    let (now, has_window) = (server.vega.clock.now(), has_window(&server.vega.settings));
    let with_link = matches!(principal, Principal::Console(..));
    let open = if request.is_over() {
        Vec::new()
    } else {
        server.prompts.open()
    };
    let prompts = open.iter().map(|open| view_of(open, now, has_window, with_link));
    Ok(Json(PromptsView::of(prompts.collect())))
}

fn reply_of(answer: AnswerBody) -> Result<(Uuid, PromptReply), Problem> {
    // A rejected answer leaves the prompt open until its deadline.
    let factor = |kind: SecondFactorKind, text: String| -> Result<PromptReply, Problem> {
        let factor = SecondFactor::read(kind, &text);
        let factor = factor.map_err(|problem| {
            let words = format!("{problem}. It was not sent to Upstox and is no try: answer again.");
            Problem::new(ProblemCode::WrongBody, words)
        });
        Ok(PromptReply::SecondFactor(kind, factor?))
    };
    Ok(match answer {
        AnswerBody::Confirm { prompt, yes: true } => (prompt, PromptReply::Yes),
        AnswerBody::Confirm { prompt, yes: false } => (prompt, PromptReply::No),
        AnswerBody::Otp { prompt, otp } => (prompt, factor(SecondFactorKind::Otp, otp)?),
        AnswerBody::Pin { prompt, pin } => (prompt, factor(SecondFactorKind::Pin, pin)?),
        AnswerBody::Address { prompt, address } => {
            (prompt, PromptReply::Address(RedirectAddress::new(address)))
        }
    })
}

/// Answers a question. The first answer counts; it is never repeated or logged.
#[utoipa::path(post, path = "/api/v1/runs/{id}/answers", operation_id = "answer", tag = "runs",
    params(("id" = String, Path, description = "The run")), request_body = AnswerBody,
    responses((status = 204, description = "It was passed on"),
        (status = 404, description = "There is no such run", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "The question is not open, or another one, or another process asks it", body = ProblemView,
            content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn answer(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    Body(body): Body<AnswerBody>,
) -> Result<StatusCode, Problem> {
    let id = extract::run_id(&id)?;
    let Some(request) = server.requests.find(id) else {
        return Err(current_run::asked_elsewhere(&server, id).await);
    };
    let (prompt, reply) = reply_of(body)?;
    if request.is_over() {
        return Err(Problem::new(
            ProblemCode::RunOver,
            "The run is over: nothing is asked any more.",
        ));
    }
    match server.prompts.answer(prompt, reply, principal.name()) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(RejectedReply::Gone) => Err(Problem::new(
            ProblemCode::PromptGone,
            "This question was answered, ran out, or the sign-in went on without it. See the run's prompt.",
        )),
        Err(RejectedReply::WrongKind) => Err(Problem::new(
            ProblemCode::AnswerDoesNotFit,
            "The question is of another kind. See the run's prompt.",
        )),
    }
}
