//! `GET /config`: the settings in force, secrets masked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error_responses::ErrorResponses;
use crate::server::Server;

/// What the server runs with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigView {
    v: u8,
    /// Of Vega.
    version: &'static str,
    /// The database file.
    database: String,
    settings: Vec<SettingView>,
    /// What is odd in the settings, in words.
    warnings: Vec<String>,
}

/// One setting in force.
#[derive(Debug, Serialize, ToSchema)]
struct SettingView {
    /// As in `vega.toml`: `section.key`; for accounts `account.API.key`.
    key: String,
    /// What it is; masked where it is secret.
    value: String,
    /// A file, `the environment` or `default`.
    source: String,
}

/// The settings in force, each with where it came from; secrets masked.
#[utoipa::path(get, path = "/api/v1/config", operation_id = "getConfig", tag = "system",
    responses((status = 200, description = "The settings", body = ConfigView), ErrorResponses))]
pub(crate) async fn get(State(server): State<Arc<Server>>) -> Json<ConfigView> {
    let settings = &server.vega.settings;
    let effective = settings.effective.iter().map(|setting| SettingView {
        key: setting.key.clone(),
        value: setting.value.clone(),
        source: setting.source.clone(),
    });
    Json(ConfigView {
        v: 1,
        version: env!("CARGO_PKG_VERSION"),
        database: settings.database_url.clone(),
        settings: effective.collect(),
        warnings: settings.warnings.clone(),
    })
}
