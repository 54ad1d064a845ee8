//! The pages of a server without the console: what this is, and the one where a one-time link opens a session. All of it is
//! static; scripts and styles are files of their own, as the content security policy wants it.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

const DOOR_SIGN: &str = include_str!("pages/index.html");
const ENTER: &str = include_str!("pages/enter.html");
const ENTER_SCRIPT: &str = include_str!("pages/enter.js");
const STYLE: &str = include_str!("pages/style.css");

/// Their routes.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || Html(DOOR_SIGN)))
        .route("/enter", get(async || Html(ENTER)))
        .route(
            "/enter.js",
            get(async || of_type("text/javascript; charset=utf-8", ENTER_SCRIPT)),
        )
        .route(
            "/style.css",
            get(async || of_type("text/css; charset=utf-8", STYLE)),
        )
}

fn of_type(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}
