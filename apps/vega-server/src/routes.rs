//! Every route, the OpenAPI file that is made from them, and what stands around them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{BoxError, Json, Router};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{Code, Problem};
use crate::server::Server;
use crate::{apis, audit, config, events, gate, health, keys, pages, prompts, runs, session};

/// No body here is larger.
const BODY_LIMIT: usize = 64 * 1024;
/// Verification asks Upstox, which takes up to its own limit twice; nothing else comes near it.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The console is this server's own: nothing is loaded from elsewhere, run inline, framed or sent away.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
        (name = "runs", description = "Verifying and signing in"),
        (name = "events", description = "What changes"),
        (name = "audit", description = "What happened"),
        (name = "session", description = "The console's session"),
        (name = "keys", description = "Access keys"),
        (name = "system", description = "Settings"),
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
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(gate::COOKIE)));
        schemes.add_security_scheme("key", key);
        schemes.add_security_scheme("console", cookie);
        let none: [&str; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::new("key", none),
            SecurityRequirement::new("console", none),
        ]);
        document.info.license = None;
    }
}

/// The routes that are described, with their description.
fn described() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(apis::list))
        .routes(routes!(apis::one))
        .routes(routes!(apis::token))
        .routes(routes!(runs::verify))
        .routes(routes!(runs::start))
        .routes(routes!(runs::get_current))
        .routes(routes!(runs::get, runs::cancel))
        .routes(routes!(prompts::prompt))
        .routes(routes!(prompts::answer))
        .routes(routes!(events::events))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verdict))
        .routes(routes!(session::open, session::get, session::end))
        .routes(routes!(config::get))
        .routes(routes!(keys::list))
        .routes(routes!(keys::revoke))
}

/// The whole server.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let (routes, document) = described().split_for_parts();
    let document = Arc::new(document);
    let api = routes
        .route(
            "/api/v1/openapi.json",
            get(async move || Json(Document::clone(&document))),
        )
        .route_layer(from_fn_with_state(Arc::clone(&server), gate::only_who_may))
        .route_layer(from_fn_with_state(Arc::clone(&server), gate::only_own_site));
    let callbacks = server.vega.callbacks();
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn(health::measured))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(header_if_missing(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header_if_missing(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_if_missing(header::REFERRER_POLICY, "no-referrer"))
        .layer(header_if_missing(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header_if_missing(header::CACHE_CONTROL, "no-store"))
        .layer(header_if_missing(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
        .layer(header_if_missing(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(header_if_missing(
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        ))
        .layer(axum::error_handling::HandleErrorLayer::new(too_slow))
        .timeout(TIME_LIMIT)
        .layer(from_fn_with_state(Arc::clone(&server), gate::only_by_name))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    Router::new()
        // A redirect URI may have `:` and `*` in its path.
        .without_v07_checks()
        .merge(api)
        .merge(pages::router())
        .with_state(server)
        .merge(callbacks)
        .fallback(async || Problem::new(Code::NotFound, "See /api/v1/openapi.json for what there is."))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::WrongMethod, "See /api/v1/openapi.json for what there is.")
        })
        .layer(around)
}

fn header_if_missing(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn too_slow(_error: BoxError) -> Problem {
    Problem::new(
        Code::TimedOut,
        "This took longer than a minute and was given up. Try again.",
    )
}

/// What a panic said goes to the log, as every panic does, and to nobody else.
fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(
        Code::Unexpected,
        "Vega failed here; its log says where. The rest goes on.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use vega_bootstrap::Environment;

    use super::*;

    /// The console's types are made from this file.
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    fn document() -> Document {
        described().split_for_parts().1
    }

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
}
