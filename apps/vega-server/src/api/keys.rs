//! `/keys`: access keys, listed and revoked. Only the command line creates them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use uuid::Uuid;
use vega_api_types::KeysView;
use vega_domain::ids::AccessKeyId;

use crate::http::error_responses::ErrorResponses;
use crate::http::problem::Problem;
use crate::server::Server;
use vega_api_types::{ProblemCode, ProblemView};

/// Every access key, also revoked and expired ones, and those whose records do not fit.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "listKeys", tag = "keys",
    responses((status = 200, description = "The keys", body = KeysView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Result<Json<KeysView>, Problem> {
    let (keys, now) = (server.vega.access.keys().await?, server.vega.clock.now());
    let unfit = server.vega.access.unfit_keys().await?;
    Ok(Json(KeysView::of(&keys, &unfit, now)))
}

/// Revokes a key, for good and at once.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", operation_id = "revokeKey", tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It counts no more"),
        (status = 404, description = "There is no such key, or it counted no more", body = ProblemView,
            content_type = "application/problem+json"), ErrorResponses))]
pub(crate) async fn revoke(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let none = || {
        Problem::new(
            ProblemCode::NotFound,
            "No living key has this id. GET /api/v1/keys lists them.",
        )
    };
    let id = Uuid::try_parse(&id).map_err(|_| none())?;
    if server.vega.access.revoke_key(AccessKeyId::from_uuid(id)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(none())
    }
}
