//! Who may call what: one table of every route. A route that is not in it is shut.

use axum::http::Method;
use vega_domain::access::{AccessKey, Scope};
use vega_domain::ids::ApiName;

/// Who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody.
    Anyone,
    /// A key with one of these scopes, and, where it says so, the console's session.
    These { keys: &'static [Need], console: bool },
}

/// What a key needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Status,
    Runs,
    Admin,
    /// The token of the API in the path.
    TokenOfPath,
}

impl Need {
    /// Whether `key` has it, for the API in the path.
    pub(crate) fn is_met_by(self, key: &AccessKey, api: Option<&ApiName>) -> bool {
        match (self, api) {
            (Self::Status, _) => key.may(&Scope::Status),
            (Self::Runs, _) => key.may(&Scope::Runs),
            (Self::Admin, _) => key.may(&Scope::Admin),
            (Self::TokenOfPath, Some(api)) => key.may(&Scope::Token(api.clone())),
            (Self::TokenOfPath, None) => false,
        }
    }
}

/// One route.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) who: Who,
}

const fn door(method: &'static str, path: &'static str, who: Who) -> Door {
    Door { method, path, who }
}

const fn these(keys: &'static [Need], console: bool) -> Who {
    Who::These { keys, console }
}

const READERS: Who = these(&[Need::Status, Need::Runs, Need::Admin], true);
const RUNNERS: Who = these(&[Need::Runs], true);
const ADMINS: Who = these(&[Need::Admin], true);
const CONSOLE: Who = these(&[], true);

/// Every route that is not the console's pages or a redirect URI; those are open.
pub(crate) const DOORS: &[Door] = &[
    door("GET", "/livez", Who::Anyone),
    door("GET", "/readyz", Who::Anyone),
    door("GET", "/metrics", these(&[Need::Status, Need::Admin], true)),
    door("GET", "/api/v1/apis", READERS),
    door("GET", "/api/v1/apis/{api}", READERS),
    // A console's session reads no tokens.
    door(
        "GET",
        "/api/v1/apis/{api}/token",
        these(&[Need::TokenOfPath], false),
    ),
    // Whoever may have a token may say that Upstox refuses it.
    door(
        "POST",
        "/api/v1/apis/{api}/rejections",
        these(&[Need::TokenOfPath], false),
    ),
    door("POST", "/api/v1/verifications", RUNNERS),
    door("POST", "/api/v1/runs", RUNNERS),
    door("GET", "/api/v1/runs/current", READERS),
    door("GET", "/api/v1/runs/{id}", READERS),
    door("DELETE", "/api/v1/runs/{id}", RUNNERS),
    door("GET", "/api/v1/runs/{id}/prompt", RUNNERS),
    door("POST", "/api/v1/runs/{id}/answers", RUNNERS),
    door("GET", "/api/v1/events", READERS),
    door("GET", "/api/v1/audit", ADMINS),
    door("GET", "/api/v1/audit/export", ADMINS),
    door("GET", "/api/v1/audit/verdict", ADMINS),
    door("POST", "/api/v1/session", Who::Anyone),
    door("GET", "/api/v1/session", CONSOLE),
    door("DELETE", "/api/v1/session", CONSOLE),
    door("GET", "/api/v1/config", ADMINS),
    door("GET", "/api/v1/system", ADMINS),
    // Pages of the broker, for the human who was to sign in there.
    door("GET", "/api/v1/evidence", CONSOLE),
    door("GET", "/api/v1/evidence/{id}/picture", CONSOLE),
    door("GET", "/api/v1/keys", ADMINS),
    door("DELETE", "/api/v1/keys/{id}", ADMINS),
    door("GET", "/api/v1/openapi.json", READERS),
];

/// The door at this route, if it is in the table. HEAD goes where GET goes.
pub(crate) fn at(method: &Method, path: &str) -> Option<&'static Door> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    DOORS
        .iter()
        .find(|door| door.method == method && door.path == path)
}
