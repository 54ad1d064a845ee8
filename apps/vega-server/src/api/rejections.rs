//! `POST /apis/{api}/rejections`: programs report that Upstox refuses their token. What a report leads to is decided in
//! `services`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use vega_api_types::codes::TokenAnswer;
use vega_domain::consumer::Consumer;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::Generation;
use vega_domain::token_kind::TokenKind;
use vega_services::{RejectionAnswer, ReportError, ReportedToken};

use crate::api::asked_token::{Asked, known_api, unknown_api};
use crate::api::no_token::why_no_longer;
use crate::auth::principal::Principal;
use crate::http::error_responses::{BodyErrorResponses, ErrorResponses};
use crate::http::extract::Body;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{FailureView, ProblemCode, ProblemView, RejectionBody, RejectionView};

/// What Upstox refuses a call with although the token is good.
const OTHER_CAUSES: &str = "the error code that came with the refusal names it: UDAPI1221, the call must come from the static IP that is \
                            registered; UDAPI1149, it needs the Plus plan; UDAPI1161, orders of that segment by API are off; \
                            UDAPI100067, it is not for a read-only token";

fn view_of(server: &Server, asked: &Asked, answer: &RejectionAnswer) -> RejectionView {
    let (api, kind) = (&asked.api, asked.wanted.kinds()[0]);
    let reported = answer.reported;
    let (word, detail, failure) = match &answer.token {
        ReportedToken::Alive => {
            let words = format!(
                "Upstox takes generation {reported}, so the call was refused for another cause; {OTHER_CAUSES}."
            );
            (TokenAnswer::Alive, words, None)
        }
        ReportedToken::Dead => {
            let way_out = why_no_longer(server, asked).map(|problem| problem.view().detail.clone());
            let words = format!("Generation {reported} is dead, and no program gets it any more.");
            let words = way_out.map_or_else(|| words.clone(), |way_out| format!("{words} {way_out}"));
            (TokenAnswer::Dead, words, None)
        }
        ReportedToken::Newer => {
            let words = format!(
                "The newest is generation {}. Get it from /api/v1/apis/{api}/token{}.",
                answer.newest,
                match kind {
                    TokenKind::Trade => "",
                    TokenKind::Read => "?kind=read",
                }
            );
            (TokenAnswer::Newer, words, None)
        }
        ReportedToken::Unknown(failure) => {
            let failure = FailureView::from(failure);
            let words = format!(
                "Upstox did not say whether generation {reported} is good, so whoever has it keeps it. {}. {}",
                failure.summary, failure.next
            );
            (TokenAnswer::Unknown, words, Some(failure))
        }
    };
    RejectionView {
        v: 1,
        api: api.to_string(),
        kind: kind.into(),
        answer: word,
        detail,
        generation: reported.get(),
        newest_generation: answer.newest.get(),
        checked_at: answer.checked_at.map(rfc3339_ist),
        checked_at_unix: answer.checked_at.map(|at| at.timestamp()),
        failure,
    }
}

/// Reports that Upstox refuses a token. Upstox is asked, once for all who report it within five seconds; a token that is dead
/// is out of every reader at once. A token of the last minute is asked about for up to 20 seconds before it is called dead.
#[utoipa::path(post, path = "/api/v1/apis/{api}/rejections", operation_id = "reportRejection", tag = "apis",
    params(("api" = String, Path, description = "The API's name, such as PRIMARY")), request_body = RejectionBody,
    responses((status = 200, description = "What the token is worth", body = RejectionView),
        (status = 404, description = "No such API is configured", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses, BodyErrorResponses))]
pub(crate) async fn report(
    State(server): State<Arc<Server>>,
    Extension(principal): Extension<Principal>,
    Extension(consumer): Extension<Option<Consumer>>,
    Path(name): Path<String>,
    Body(body): Body<RejectionBody>,
) -> Result<Json<RejectionView>, Problem> {
    let api = known_api(&server, name)?;
    let kind = body.kind.map(vega_api_types::codes::TokenKind::as_str);
    let asked = Asked::of(&server, &principal, api, kind, None)?;
    let generation = Generation::new(body.generation).map_err(|error| {
        Problem::new(
            ProblemCode::BadRequest,
            format!("{error}. Send the one that came with the token."),
        )
    })?;
    let answer = server
        .vega
        .rejections
        .report(asked.preferred(), generation, &principal.name())
        .await;
    if let Some(consumer) = consumer.filter(|_| answer.is_ok()) {
        server.vega.consumers.saw(consumer, asked.preferred(), None);
    }
    match answer {
        Ok(answer) => Ok(Json(view_of(&server, &asked, &answer))),
        Err(ReportError::UnknownApi(_)) => Err(unknown_api(&server)),
        Err(error @ ReportError::Future { .. }) => {
            let words = format!("{error}. Send the one that came with the token.");
            Err(Problem::new(ProblemCode::UnknownGeneration, words))
        }
        Err(error @ ReportError::Store(_)) => Err(Problem::new(ProblemCode::Storage, error.to_string())),
        Err(error @ ReportError::BrokenOff) => Err(Problem::new(ProblemCode::Unexpected, error.to_string())),
    }
}
