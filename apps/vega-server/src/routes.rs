//! All routes, the OpenAPI document that is generated from them, and the middleware around them, in order.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{BoxError, Json, Router};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{
    apis, audit, audit_export, config, consumers, events, evidence, health, keys, metrics, prompts,
    rejections, runs, session, system, token_events,
};
use crate::auth::middleware::{SESSION_COOKIE, SESSION_COOKIE_OVER_TLS, SESSION_HEADER, require_scope};
use crate::console::pages;
use crate::http::problem::Problem;
use crate::http::redirects::{RedirectRoutes, serve_redirects_first};
use crate::http::response_headers::{REQUEST_ID, RequestIds};
use crate::http::{host_check, request_metrics, response_headers};
use crate::server::Server;
use vega_api_types::ProblemCode;

/// Of request bodies, in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// Of every request. The longest are verifications, which ask Upstox, up to its own limit twice.
const TIME_LIMIT: Duration = Duration::from_mins(1);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vega",
        description = "Upstox access tokens, kept alive. Errors are `application/problem+json` with a stable `code`. Times are \
                       RFC 3339 with +05:30, with Unix seconds beside them.",
        license(name = "", identifier = "")
    ),
    tags(
        (name = "apis", description = "APIs and their tokens"),
        (name = "consumers", description = "Programs that use tokens"),
        (name = "runs", description = "Verifying and signing in"),
        (name = "events", description = "What changes"),
        (name = "audit", description = "What happened"),
        (name = "session", description = "The console's session"),
        (name = "keys", description = "Access keys"),
        (name = "system", description = "Settings, and what the server works with"),
        (name = "health", description = "Health and figures")
    ),
    modifiers(&Security)
)]
struct Api;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut Document) {
        use utoipa::openapi::security::SecurityRequirement;
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
        let schemes = document.components.get_or_insert_default();
        let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let cookie = |name| SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(name)));
        schemes.add_security_scheme("key", key);
        let second = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(SESSION_HEADER)));
        schemes.add_security_scheme("console", cookie(SESSION_COOKIE));
        schemes.add_security_scheme("console_over_tls", cookie(SESSION_COOKIE_OVER_TLS));
        schemes.add_security_scheme("page", second);
        let none: [&str; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::new("key", none),
            SecurityRequirement::new("console", none).add("page", none),
            SecurityRequirement::new("console_over_tls", none).add("page", none),
        ]);
        document.info.license = None;
    }
}

/// The documented routes.
fn described() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::tokens_ready))
        .routes(routes!(metrics::scrape))
        .routes(routes!(apis::list))
        .routes(routes!(apis::one))
        .routes(routes!(apis::token))
        .routes(routes!(token_events::token_events))
        .routes(routes!(rejections::report))
        .routes(routes!(runs::verify))
        .routes(routes!(runs::start))
        .routes(routes!(runs::get_current))
        .routes(routes!(runs::get, runs::cancel))
        .routes(routes!(prompts::prompt))
        .routes(routes!(prompts::answer))
        .routes(routes!(events::events))
        .routes(routes!(audit::list))
        .routes(routes!(audit_export::export))
        .routes(routes!(audit::verdict))
        .routes(routes!(session::open, session::get, session::end))
        .routes(routes!(config::get))
        .routes(routes!(system::get))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::picture))
        .routes(routes!(consumers::list))
        .routes(routes!(consumers::stop))
        .routes(routes!(consumers::open))
        .routes(routes!(keys::list))
        .routes(routes!(keys::revoke))
}

/// The content of the OpenAPI file.
#[cfg(test)]
pub(crate) fn document() -> Document {
    described().split_for_parts().1
}

/// The router of the whole server.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let (routes, document) = described().split_for_parts();
    let document = Arc::new(document);
    let api = routes
        .route(
            "/api/v1/openapi.json",
            get(async move || Json(Document::clone(&document))),
        )
        .route_layer(from_fn_with_state(Arc::clone(&server), require_scope))
        .route_layer(from_fn_with_state(
            Arc::clone(&server),
            host_check::require_same_origin,
        ));
    let redirects = RedirectRoutes::new(&server);
    let all = Router::new()
        .merge(api)
        .merge(pages::router())
        .with_state(Arc::clone(&server))
        .fallback(async || {
            Problem::new(
                ProblemCode::NotFound,
                "See /api/v1/openapi.json for what there is.",
            )
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                ProblemCode::WrongMethod,
                "See /api/v1/openapi.json for what there is.",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(redirects, serve_redirects_first))
        .layer(from_fn_with_state(server, host_check::require_allowed_host));
    with_common_layers(all)
}

/// What every response gets: a request id, metrics, security headers, and a problem document after a panic or a timeout.
pub(crate) fn with_common_layers(router: Router) -> Router {
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID.clone(), RequestIds))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID.clone()))
        .layer(from_fn(request_metrics::measure))
        .map_response(response_headers::complete)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::error_handling::HandleErrorLayer::new(too_slow))
        .timeout(TIME_LIMIT);
    router.layer(around)
}

async fn too_slow(_error: BoxError) -> Problem {
    Problem::new(
        ProblemCode::TimedOut,
        "This took longer than a minute and was given up. Try again.",
    )
}

/// The panic's message goes to the log alone.
fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(
        ProblemCode::Unexpected,
        "Vega failed here; its log says where. The rest goes on.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use axum::http::{Request, header};
    use tower::ServiceExt;
    use vega_bootstrap::Environment;

    use super::*;
    use crate::auth::route_permissions::ROUTE_PERMISSIONS;

    /// The console's types are made from this file.
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    #[test]
    fn the_openapi_file_says_what_the_code_does() {
        let fresh = format!("{}\n", document().to_pretty_json().unwrap());
        if Environment::of_process().get("VEGA_UPDATE_DOCS").is_some() {
            std::fs::write(FILE, &fresh).unwrap();
        }
        let committed = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(
            committed == fresh,
            "run `cargo xtask generate` and read the difference"
        );
    }

    #[test]
    fn the_session_has_its_cookie_by_both_names() {
        let document = serde_json::to_value(document()).unwrap();
        let schemes = &document["components"]["securitySchemes"];
        let cookies: Vec<&str> = document["security"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|needed| needed.get("page").is_some())
            .flat_map(|needed| needed.as_object().unwrap().keys())
            .filter(|scheme| schemes[scheme]["in"] == "cookie")
            .filter_map(|scheme| schemes[scheme]["name"].as_str())
            .collect();
        assert_eq!(cookies, ["vega_session", "__Host-vega_session"]);
    }

    #[test]
    fn every_operation_has_a_permission_and_every_permission_an_operation() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut operations: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        // The document does not describe its own route.
        operations.insert("GET /api/v1/openapi.json".into());
        let listed: Vec<String> = ROUTE_PERMISSIONS
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(
            listed.len(),
            listed.iter().collect::<BTreeSet<_>>().len(),
            "a route is listed twice"
        );
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), operations);
    }

    async fn answer(handler: axum::routing::MethodRouter) -> (Response, String) {
        let router = with_common_layers(Router::new().route("/", handler));
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (Response::from_parts(parts, Body::empty()), text)
    }

    fn has_headers(response: &Response) {
        for name in [
            header::CONTENT_SECURITY_POLICY,
            header::X_CONTENT_TYPE_OPTIONS,
            header::REFERRER_POLICY,
            header::CACHE_CONTROL,
        ] {
            assert!(response.headers().contains_key(&name), "{name}: {response:?}");
        }
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }

    #[tokio::test]
    async fn a_panic_says_nothing_of_itself_and_is_answered_like_anything_else() {
        #[expect(clippy::panic, reason = "somebody must")]
        async fn fail() {
            panic!("CANARY-panic");
        }
        let (response, text) = answer(get(fail)).await;
        assert_eq!(response.status(), 500);
        assert!(!text.contains("CANARY"), "{text}");
        has_headers(&response);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_given_up() {
        let (response, text) = answer(get(std::future::pending::<()>)).await;
        assert_eq!(response.status(), 503);
        assert!(text.contains("timed_out"), "{text}");
        has_headers(&response);
    }
}
