//! `/keys`: access keys, listed and revoked. Only the command line creates them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vega_domain::access::AccessKey;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::AccessKeyId;

use crate::http::error_responses::ErrorResponses;
use crate::http::problem::{Code, Problem};
use crate::server::Server;

/// Every access key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeysView {
    v: u8,
    keys: Vec<KeyView>,
    /// Keys whose records are not what Vega wrote: they count for nothing, and come back with their records unless they are
    /// revoked.
    unfit: Vec<UnfitKeyView>,
}

/// An access key of which nobody can tell what it may do.
#[derive(Debug, Serialize, ToSchema)]
struct UnfitKeyView {
    id: String,
    /// What it is or was called, as far as that is known.
    names: Vec<String>,
}

/// One access key; never the key itself.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    id: String,
    name: String,
    /// `status`, `token:API`, `runs`, `admin`.
    scopes: Vec<String>,
    /// Whether it counts now.
    live: bool,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl KeyView {
    fn of(key: &AccessKey, live: bool) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            live,
            created_at: rfc3339_ist(key.created_at),
            expires_at: key.expires_at.map(rfc3339_ist),
            last_used_at: key.last_used_at.map(rfc3339_ist),
            revoked_at: key.revoked_at.map(rfc3339_ist),
        }
    }
}

/// Every access key, also revoked and expired ones, and those whose records do not fit.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "listKeys", tag = "keys",
    responses((status = 200, description = "The keys", body = KeysView), ErrorResponses))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Result<Json<KeysView>, Problem> {
    let now = server.vega.clock.now();
    let keys = server.vega.access.keys().await?;
    let keys = keys
        .iter()
        .map(|key| KeyView::of(key, key.is_live(now)))
        .collect();
    let unfit = server.vega.access.unfit_keys().await?;
    let unfit = unfit.into_iter().map(|key| UnfitKeyView {
        id: key.id.to_string(),
        names: key.names,
    });
    let unfit = unfit.collect();
    Ok(Json(KeysView { v: 1, keys, unfit }))
}

/// Revokes a key, for good and at once.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", operation_id = "revokeKey", tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It counts no more"),
        (status = 404, description = "There is no such key, or it counted no more", body = Problem,
            content_type = "application/problem+json"), ErrorResponses))]
pub(crate) async fn revoke(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let none = || {
        Problem::new(
            Code::NotFound,
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
