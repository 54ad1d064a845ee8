//! `/evidence`, for the console alone: what was kept of failed sign-ins, with pictures. What is kept, and of which pages
//! there is a picture, is decided in the sign-in adapters.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vega_bootstrap::KeptEvidence;
use vega_domain::expiry::rfc3339_ist;

use crate::http::error_responses::ErrorResponses;
use crate::http::problem::{Code, Problem};
use crate::server::Server;

/// Everything that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvidencesView {
    v: u8,
    /// The newest first, twenty at most.
    evidence: Vec<EvidenceView>,
}

/// What was kept of one failed sign-in.
#[derive(Debug, Serialize, ToSchema)]
struct EvidenceView {
    id: String,
    /// When the sign-in failed.
    at: String,
    at_unix: i64,
    api: String,
    /// The stable name of the cause; it may be one of another version of Vega.
    reason: String,
    /// The file on the server's machine; an API's last failure points to it.
    path: String,
    has_picture: bool,
    /// What it tells.
    facts: Vec<FactView>,
}

/// Something that evidence tells.
#[derive(Debug, Serialize, ToSchema)]
struct FactView {
    /// What it is about, in words.
    about: &'static str,
    /// What it says; it may come from a page of Upstox's, or of somebody else's.
    says: String,
}

impl EvidenceView {
    fn of(kept: KeptEvidence) -> Self {
        let facts = kept.facts.into_iter().map(|fact| FactView {
            about: fact.about,
            says: fact.says,
        });
        Self {
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
}

fn unreadable(error: &std::io::Error) -> Problem {
    tracing::warn!(%error, "the folder of evidence cannot be read");
    let words =
        format!("The folder of evidence cannot be read: {error}. See that it belongs to whoever runs Vega.");
    Problem::new(Code::Storage, words)
}

/// What was kept of sign-ins that failed, the newest first.
#[utoipa::path(get, path = "/api/v1/evidence", operation_id = "listEvidence", tag = "system",
    responses((status = 200, description = "What is kept", body = EvidencesView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Result<Json<EvidencesView>, Problem> {
    let kept = server.vega.evidence.kept().await;
    let kept = kept.map_err(|error| unreadable(&error))?.into_iter();
    Ok(Json(EvidencesView {
        v: 1,
        evidence: kept.map(EvidenceView::of).collect(),
    }))
}

/// The picture of a page at which a sign-in failed. There is one only where nothing typed can be on it.
#[utoipa::path(get, path = "/api/v1/evidence/{id}/picture", operation_id = "getEvidencePicture", tag = "system",
    params(("id" = String, Path, description = "The evidence")),
    responses((status = 200, description = "The picture", body = [u8], content_type = "image/png"),
        (status = 404, description = "There is no such picture", body = Problem, content_type = "application/problem+json"),
        ErrorResponses))]
pub(crate) async fn picture(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let picture = server.vega.evidence.picture(&id).await;
    match picture.map_err(|error| unreadable(&error))? {
        Some(png) => Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response()),
        None => Err(Problem::new(
            Code::NotFound,
            "There is no such picture; /api/v1/evidence says what is kept. The newest twenty failures are.",
        )),
    }
}
