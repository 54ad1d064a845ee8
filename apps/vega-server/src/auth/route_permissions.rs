//! Authorization policy: route → required scopes. A route that is not listed is denied.

use axum::http::Method;
use vega_domain::access::Scope;
use vega_domain::ids::ApiName;

use crate::auth::principal::Principal;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// No authentication.
    Public,
    /// A key, or a program at the local socket, with one of these scopes and, where `console` is set, a console session.
    Restricted {
        keys: &'static [RequiredScope],
        console: bool,
    },
}

impl Access {
    /// Whether `principal` may call; `api` is the API in the path.
    pub(crate) fn lets_in(self, principal: &Principal, api: Option<&ApiName>) -> bool {
        match (self, principal) {
            (Self::Public, _) => true,
            (Self::Restricted { keys, .. }, Principal::Key(key)) => keys
                .iter()
                .any(|scope| scope.is_met_by(|needed| key.may(needed), api)),
            (Self::Restricted { keys, .. }, Principal::Local(local)) => keys
                .iter()
                .any(|scope| scope.is_met_by(|needed| local.may(needed), api)),
            (Self::Restricted { console, .. }, Principal::Console(..)) => console,
        }
    }

    /// The scopes of which one lets a key in, as `vega key add` takes them.
    pub(crate) fn scopes(self, api: Option<&ApiName>) -> Vec<String> {
        let Self::Restricted { keys, .. } = self else {
            return Vec::new();
        };
        let name = |key: &RequiredScope| match (key, api) {
            (RequiredScope::Status, _) => Scope::Status.to_string(),
            (RequiredScope::Runs, _) => Scope::Runs.to_string(),
            (RequiredScope::Admin, _) => Scope::Admin.to_string(),
            (RequiredScope::TokenOfPath, Some(api)) => Scope::Token(api.clone()).to_string(),
            (RequiredScope::TokenOfPath, None) => "token:API".into(),
            (RequiredScope::ReadOfPath, Some(api)) => Scope::Read(api.clone()).to_string(),
            (RequiredScope::ReadOfPath, None) => "read:API".into(),
        };
        keys.iter().map(name).collect()
    }
}

/// A scope that lets a key in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequiredScope {
    Status,
    Runs,
    Admin,
    /// The token of the API in the path.
    TokenOfPath,
    /// The analytics token of its account.
    ReadOfPath,
}

impl RequiredScope {
    /// Whether whoever `may` do so much has this scope; `api` is the API in the path.
    fn is_met_by(self, may: impl Fn(&Scope) -> bool, api: Option<&ApiName>) -> bool {
        match (self, api) {
            (Self::Status, _) => may(&Scope::Status),
            (Self::Runs, _) => may(&Scope::Runs),
            (Self::Admin, _) => may(&Scope::Admin),
            (Self::TokenOfPath, Some(api)) => may(&Scope::Token(api.clone())),
            (Self::ReadOfPath, Some(api)) => may(&Scope::Read(api.clone())),
            (Self::TokenOfPath | Self::ReadOfPath, None) => false,
        }
    }
}

/// One row of the policy.
#[derive(Debug)]
pub(crate) struct RoutePermission {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
}

const fn route(method: &'static str, path: &'static str, access: Access) -> RoutePermission {
    RoutePermission { method, path, access }
}

const fn only(keys: &'static [RequiredScope], console: bool) -> Access {
    Access::Restricted { keys, console }
}

const READERS: Access = only(
    &[RequiredScope::Status, RequiredScope::Runs, RequiredScope::Admin],
    true,
);
const METRICS: Access = only(&[RequiredScope::Status, RequiredScope::Admin], true);
const RUNNERS: Access = only(&[RequiredScope::Runs], true);
const ADMINS: Access = only(&[RequiredScope::Admin], true);
/// Holders of a token that is given out for the API. A console session reads no tokens. Who asks for which kind, and may have it, is looked
/// at where it is given.
const TOKEN_HOLDERS: Access = only(&[RequiredScope::TokenOfPath, RequiredScope::ReadOfPath], false);
/// The same, and whoever sees how each token stands. The first is what a program is told to get that has none of them.
const TOKEN_WATCHERS: Access = only(
    &[
        RequiredScope::TokenOfPath,
        RequiredScope::ReadOfPath,
        RequiredScope::Status,
        RequiredScope::Runs,
        RequiredScope::Admin,
    ],
    true,
);
const CONSOLE: Access = only(&[], true);

/// Every route except the console's pages and the redirect URIs, which are public.
pub(crate) const ROUTE_PERMISSIONS: &[RoutePermission] = &[
    route("GET", "/livez", Access::Public),
    route("GET", "/readyz", Access::Public),
    route("GET", "/readyz/tokens", Access::Public),
    route("GET", "/metrics", METRICS),
    route("GET", "/api/v1/apis", READERS),
    route("GET", "/api/v1/apis/{api}", READERS),
    route("GET", "/api/v1/apis/{api}/token", TOKEN_HOLDERS),
    route("GET", "/api/v1/apis/{api}/events", TOKEN_WATCHERS),
    route("POST", "/api/v1/apis/{api}/rejections", TOKEN_HOLDERS),
    route("POST", "/api/v1/verifications", RUNNERS),
    route("POST", "/api/v1/runs", RUNNERS),
    route("GET", "/api/v1/runs/current", READERS),
    route("GET", "/api/v1/runs/{id}", READERS),
    route("DELETE", "/api/v1/runs/{id}", RUNNERS),
    route("GET", "/api/v1/runs/{id}/prompt", RUNNERS),
    route("POST", "/api/v1/runs/{id}/answers", RUNNERS),
    route("GET", "/api/v1/events", READERS),
    route("GET", "/api/v1/audit", ADMINS),
    route("GET", "/api/v1/audit/export", ADMINS),
    route("GET", "/api/v1/audit/verdict", ADMINS),
    route("POST", "/api/v1/session", Access::Public),
    route("GET", "/api/v1/session", CONSOLE),
    route("DELETE", "/api/v1/session", CONSOLE),
    route("GET", "/api/v1/config", ADMINS),
    route("GET", "/api/v1/system", ADMINS),
    // Pages of the broker, for the operator who was to sign in there.
    route("GET", "/api/v1/evidence", CONSOLE),
    route("GET", "/api/v1/evidence/{id}/picture", CONSOLE),
    route("GET", "/api/v1/consumers", READERS),
    route("POST", "/api/v1/consumers/stop", ADMINS),
    route("POST", "/api/v1/consumers/open", ADMINS),
    route("GET", "/api/v1/keys", ADMINS),
    route("DELETE", "/api/v1/keys/{id}", ADMINS),
    route("GET", "/api/v1/openapi.json", READERS),
];

/// The permission of a route, if it is listed. HEAD counts as GET.
pub(crate) fn find(method: &Method, path: &str) -> Option<&'static RoutePermission> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    ROUTE_PERMISSIONS
        .iter()
        .find(|route| route.method == method && route.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/reference/http-api.md has every route with who may call it, and no other.
    #[test]
    fn the_documents_say_who_may_call_each_route() {
        let page = include_str!("../../../../docs/reference/http-api.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for route in ROUTE_PERMISSIONS {
            let begin = format!("| `{} {}` | ", route.method, route.path);
            let end = format!(" | {} |", who(route.access));
            assert!(
                rows.iter()
                    .any(|row| row.starts_with(&begin) && row.ends_with(&end)),
                "docs/reference/http-api.md lacks the row {begin}…{end}"
            );
        }
        assert_eq!(
            rows.len(),
            ROUTE_PERMISSIONS.len(),
            "the page has a route that is none"
        );
    }

    fn who(access: Access) -> String {
        let Access::Restricted { console, .. } = access else {
            return "anyone".into();
        };
        let scopes = access.scopes(None).into_iter();
        let mut all: Vec<String> = scopes.map(|scope| format!("`{scope}`")).collect();
        all.extend(console.then(|| "console".into()));
        all.join(", ")
    }
}
