//! `GET /system`: versions, database, key, browser, machines, who signs in, and readiness. Holds no secrets. Settings are shown by `config`.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use vega_api_types::{
    CertificateView, DatabaseView, HealthView, KeySourceKind, KeySourceView, LeaseView, MachineView,
    SignInView, SystemView,
};
use vega_bootstrap::KeySource;
use vega_domain::expiry::rfc3339_ist;

use crate::http::error_responses::ErrorResponses;
use crate::server::Server;

/// What the server works with, and whether it can do its work.
#[utoipa::path(get, path = "/api/v1/system", operation_id = "getSystem", tag = "system",
    responses((status = 200, description = "How it is", body = SystemView), ErrorResponses))]
pub(crate) async fn get(State(server): State<Arc<Server>>) -> Json<SystemView> {
    let (vega, settings) = (&server.vega, &server.vega.settings);
    let report = server.readiness.check(vega).await;
    // The page is most needed when the database does not answer.
    let facts = vega.maintenance.database_facts().await.ok();
    let machines = vega.maintenance.machines().await.unwrap_or_default();
    let lease = vega.stored.lease_holder().await.unwrap_or_default();
    let path = |path: &Path| path.display().to_string();
    let browser = &settings.browser;
    // As the settings show it: without its password.
    let webdriver_url = settings.shown("browser.webdriver_url").map(str::to_owned);
    Json(SystemView {
        v: 1,
        version: env!("CARGO_PKG_VERSION"),
        started_at: rfc3339_ist(server.started_at),
        started_at_unix: server.started_at.timestamp(),
        database: DatabaseView {
            url: settings.database_url.clone(),
            engine: facts.as_ref().map(|facts| facts.engine),
            schema_version: facts.as_ref().map(|facts| facts.schema_version),
            engine_version: facts.map(|facts| facts.engine_version),
        },
        key: KeySourceView {
            source: match settings.key_source {
                KeySource::File(_) => KeySourceKind::File,
                KeySource::Credential { .. } => KeySourceKind::Credential,
            },
            path: path(settings.key_source.path()),
            id: vega.maintenance.key_id(),
        },
        sign_in: SignInView {
            route: settings.route.into(),
            headless: browser.headless,
            browser: browser.binary.as_deref().map(path),
            chromedriver: browser.chromedriver.as_deref().map(path),
            webdriver_url: webdriver_url.filter(|_| browser.webdriver_url.is_some()),
        },
        certificate: server.tls.as_ref().map(|tls| {
            let not_after = tls.not_after();
            CertificateView {
                path: path(tls.certificate()),
                not_after: not_after.map(rfc3339_ist),
                not_after_unix: not_after.map(|end| end.timestamp()),
            }
        }),
        machines: machines.into_iter().map(MachineView::from).collect(),
        lease: lease.map(LeaseView::from),
        health: HealthView {
            ready: report.is_ready(),
            storage: report.storage.is_ok(),
            storage_problem: report.storage.err().or(report.rows.err()),
        },
    })
}
