//! Versions, database, key, browser and readiness of a server.

use serde::Serialize;
use utoipa::ToSchema;

use crate::codes::Route;
use crate::machines::{LeaseView, MachineView};

/// What the server works with, and whether it can.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemView {
    pub v: u8,
    /// Of Vega.
    pub version: &'static str,
    /// Since when this server runs.
    pub started_at: String,
    pub started_at_unix: i64,
    pub database: DatabaseView,
    pub key: KeySourceView,
    pub sign_in: SignInView,
    /// The certificate that the server has itself; null where it speaks in plain text.
    pub certificate: Option<CertificateView>,
    /// The machines that share the database; none while it does not answer.
    pub machines: Vec<MachineView>,
    /// Who signs in now; null for nobody, and while the database does not answer.
    pub lease: Option<LeaseView>,
    pub health: HealthView,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseView {
    /// As in the settings; masked where it is secret.
    pub url: String,
    /// Such as `SQLite`; null while the database does not answer.
    pub engine: Option<&'static str>,
    pub engine_version: Option<String>,
    /// The number of the newest migration.
    pub schema_version: Option<i64>,
}

/// Where the key that seals tokens comes from; never the key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySourceView {
    pub source: KeySourceKind,
    /// The file that holds it.
    pub path: String,
    /// Tells keys apart without telling anything of them.
    pub id: String,
}

/// From where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySourceKind {
    /// A file of Vega's own.
    File,
    /// A credential that the service manager hands in.
    Credential,
}

/// How sign-ins are made, as configured; accounts may say otherwise, see the settings.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInView {
    pub route: Route,
    /// Whether the browser has no window.
    pub headless: bool,
    /// The browser; null where it is found on the path.
    pub browser: Option<String>,
    /// The driver; null where it is found on the path.
    pub chromedriver: Option<String>,
    /// A WebDriver that runs already, if one is used.
    pub webdriver_url: Option<String>,
}

/// The certificate of the server's own TLS.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateView {
    /// Its file.
    pub path: String,
    /// Until when the one in use is valid.
    pub not_after: Option<String>,
    pub not_after_unix: Option<i64>,
}

/// What `/readyz` looks at.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// Whether the server can do its work.
    pub ready: bool,
    /// Whether the database takes changes and the key is the one that it belongs to.
    pub storage: bool,
    /// Why it is not ready, and what to do.
    pub storage_problem: Option<String>,
}
