//! `/evidence`, for the console alone: what was kept of failed sign-ins, with pictures. What is kept, and of which pages
//! there is a picture, is decided in the sign-in adapters.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use vega_domain::evidence::KeptEvidence;
use vega_domain::expiry::rfc3339_ist;

use crate::http::error_responses::ErrorResponses;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{EvidenceView, EvidencesView, FactView, ProblemCode, ProblemView};

fn view_of(kept: KeptEvidence) -> EvidenceView {
    let facts = kept.facts.into_iter().map(|fact| FactView {
        about: fact.about,
        says: fact.says,
    });
    EvidenceView {
        at: rfc3339_ist(kept.at),
        at_unix: kept.at.timestamp(),
        api: kept.api.to_string(),
        reason: kept.reason,
        path: kept.record.display().to_string(),
        has_picture: kept.has_picture,
        facts: facts.collect(),
        id: kept.id,
    }
}

fn unreadable(error: &std::io::Error) -> Problem {
    tracing::warn!(%error, "the folder of evidence cannot be read");
    let words =
        format!("The folder of evidence cannot be read: {error}. See that it belongs to whoever runs Vega.");
    Problem::new(ProblemCode::Storage, words)
}

/// What was kept of sign-ins that failed, the newest first.
#[utoipa::path(get, path = "/api/v1/evidence", operation_id = "listEvidence", tag = "system",
    responses((status = 200, description = "What is kept", body = EvidencesView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Result<Json<EvidencesView>, Problem> {
    let kept = server.vega.stored.evidence.kept().await;
    let kept = kept.map_err(|error| unreadable(&error))?.into_iter();
    Ok(Json(EvidencesView {
        v: 1,
        evidence: kept.map(view_of).collect(),
    }))
}

/// The picture of a page at which a sign-in failed. There is one only where nothing typed can be on it.
#[utoipa::path(get, path = "/api/v1/evidence/{id}/picture", operation_id = "getEvidencePicture", tag = "system",
    params(("id" = String, Path, description = "The evidence")),
    responses((status = 200, description = "The picture", body = [u8], content_type = "image/png"),
        (status = 404, description = "There is no such picture", body = ProblemView, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn picture(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let picture = server.vega.stored.evidence.picture(&id).await;
    match picture.map_err(|error| unreadable(&error))? {
        Some(png) => Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response()),
        None => Err(Problem::new(
            ProblemCode::NotFound,
            "There is no such picture; /api/v1/evidence says what is kept. The newest twenty failures are.",
        )),
    }
}
