//! Serves the console that `npm run build` made: the shell at each of its addresses, and its assets. A server that was
//! built without it serves a page that says so, and one on which a one-time link opens a session. All pages are static;
//! scripts and styles are files of their own, as the content security policy requires.

use std::borrow::Cow;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::http::problem::Problem;
use vega_api_types::ProblemCode;

const NOT_BUILT: &str = include_str!("pages/index.html");
const ENTER: &str = include_str!("pages/enter.html");
const ENTER_SCRIPT: &str = include_str!("pages/enter.js");
const STYLE: &str = include_str!("pages/style.css");

const SHELL: &str = "index.html";
/// Asset names contain a hash of their content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The console: in a release build part of the program, in others read from its folder.
#[derive(RustEmbed)]
#[folder = "../vega-web/dist"]
#[allow_missing = true]
struct Built;

/// One of its files.
struct File {
    bytes: Cow<'static, [u8]>,
    kind: String,
}

/// Where files are found by their path.
type Files = fn(&str) -> Option<File>;

fn built(path: &str) -> Option<File> {
    Built::get(path).map(|file| File {
        kind: file.metadata.mimetype().to_owned(),
        bytes: file.data,
    })
}

/// Their routes.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    routes(built)
}

fn routes<S: Clone + Send + Sync + 'static>(files: Files) -> Router<S> {
    Router::new()
        .route("/", get(async move || shell(files, NOT_BUILT)))
        .route("/audit", get(async move || shell(files, NOT_BUILT)))
        .route("/system", get(async move || shell(files, NOT_BUILT)))
        .route("/enter", get(async move || shell(files, ENTER)))
        .route(
            "/assets/{*path}",
            get(async move |Path(path): Path<String>| asset(files, &path)),
        )
        .route(
            "/enter.js",
            get(async || of_type("text/javascript; charset=utf-8", ENTER_SCRIPT)),
        )
        .route(
            "/style.css",
            get(async || of_type("text/css; charset=utf-8", STYLE)),
        )
}

/// The page that loads the console, or the plain one where there is none. It names files that another build does not have, so
/// it is never kept.
fn shell(files: Files, plain: &'static str) -> Response {
    match files(SHELL) {
        Some(shell) => Html(shell.bytes).into_response(),
        None => Html(plain).into_response(),
    }
}

fn asset(files: Files, path: &str) -> Response {
    match files(&format!("assets/{path}")) {
        Some(File { bytes, kind }) => {
            let cache = (header::CACHE_CONTROL, IMMUTABLE);
            let kind = HeaderValue::from_str(&kind)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            ([cache, (header::CONTENT_TYPE, kind)], bytes).into_response()
        }
        None => Problem::new(
            ProblemCode::NotFound,
            "This console has no such file: load the page again.",
        )
        .into_response(),
    }
}

fn of_type(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    fn made_up(path: &str) -> Option<File> {
        let (kind, text) = match path {
            "index.html" => ("text/html", "the shell"),
            "assets/index-abc.js" => ("text/javascript", "the script"),
            _ => return None,
        };
        Some(File {
            kind: kind.into(),
            bytes: Cow::Borrowed(text.as_bytes()),
        })
    }

    fn absent(_path: &str) -> Option<File> {
        None
    }

    async fn ask(files: Files, path: &str) -> (Response, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = routes(files).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (Response::from_parts(parts, Body::empty()), text)
    }

    #[tokio::test]
    async fn the_consoles_addresses_have_its_shell_which_is_not_kept() {
        for path in ["/", "/audit", "/system", "/enter"] {
            let (response, text) = ask(made_up, path).await;
            assert_eq!(text, "the shell", "{path}");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8"
            );
            // The router around it says `no-store` where nothing is said.
            assert!(!response.headers().contains_key(header::CACHE_CONTROL), "{path}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_named_by_its_hash_is_kept_for_good() {
        let (response, text) = ask(made_up, "/assets/index-abc.js").await;
        assert_eq!(text, "the script");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript");
        assert_eq!(response.headers()[header::CACHE_CONTROL], IMMUTABLE);
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_not_kept() {
        for path in [
            "/assets/index-old.js",
            "/assets/../index.html",
            "/assets/%2e%2e/index.html",
        ] {
            let (response, _) = ask(made_up, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!response.headers().contains_key(header::CACHE_CONTROL), "{path}");
        }
    }

    #[test]
    fn the_console_that_was_built_is_found() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../vega-web/dist/index.html");
        assert_eq!(built(SHELL).is_some(), std::path::Path::new(folder).exists());
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_folder() {
        for path in [
            "/assets/..%2f..%2fpackage.json",
            "/assets/..%2f..%2f..%2f..%2fCargo.toml",
        ] {
            let (response, text) = ask(built, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}: {text}");
        }
    }

    #[tokio::test]
    async fn a_server_without_the_console_says_how_to_get_it_and_opens_sessions() {
        let (_, text) = ask(absent, "/").await;
        assert!(text.contains("npm run build"), "{text}");
        let (_, text) = ask(absent, "/enter").await;
        assert!(text.contains("/enter.js"), "{text}");
        for path in ["/enter.js", "/style.css"] {
            assert_eq!(ask(absent, path).await.0.status(), StatusCode::OK, "{path}");
        }
    }
}
