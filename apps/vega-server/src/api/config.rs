//! `GET /config`: the settings in force, secrets masked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use vega_api_types::ConfigView;

use crate::http::error_responses::ErrorResponses;
use crate::server::Server;

/// The settings in force, each with where it came from; secrets masked.
#[utoipa::path(get, path = "/api/v1/config", operation_id = "getConfig", tag = "system",
    responses((status = 200, description = "The settings", body = ConfigView), ErrorResponses))]
pub(crate) async fn get(State(server): State<Arc<Server>>) -> Json<ConfigView> {
    let settings = &server.vega.settings;
    let effective = settings.effective.iter();
    let effective = effective.map(|one| (&*one.key, &*one.value, &*one.source));
    Json(ConfigView::of(
        &settings.database_url,
        effective,
        &settings.warnings,
    ))
}
