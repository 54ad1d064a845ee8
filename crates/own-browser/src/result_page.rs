//! The page at the end of a sign-in: what happened, and that the window can be closed. It repeats nothing of the address.

use askama::Template;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::code_receiver::Received;

/// Nothing is loaded, kept or told to another site.
pub(crate) const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

#[derive(Template)]
#[template(path = "result.html")]
struct ResultPage<'a> {
    heading: &'a str,
    what_happened: &'a str,
}

/// A page with these words.
pub(crate) fn page(status: StatusCode, heading: &str, what_happened: &str) -> Response {
    let page = ResultPage {
        heading,
        what_happened,
    };
    match page.render() {
        Ok(html) => (status, HEADERS, Html(html)).into_response(),
        Err(_) => (status, HEADERS, heading.to_owned()).into_response(),
    }
}

/// The page for what became of a redirect.
pub(crate) fn of(received: &Received) -> Response {
    let (status, heading, words) = match received {
        Received::Taken(api) => (
            StatusCode::OK,
            "Signed in",
            format!("Vega has received the sign-in for {api} and gets the token now."),
        ),
        Received::CameBefore(api) => (
            StatusCode::OK,
            "Received before",
            format!("Vega has this sign-in for {api} already. Nothing was done a second time."),
        ),
        Received::TooLate(api) => (
            StatusCode::GONE,
            "Too late",
            format!(
                "The sign-in for {api} that this page belongs to has ended, so nothing was done. \
                 Generate again and use the link that Vega shows then."
            ),
        ),
        Received::Foreign => (
            StatusCode::BAD_REQUEST,
            "Not accepted",
            "This address does not belong to a sign-in of this Vega: nobody here sent its state. Nothing was done. \
             Use the link that Vega shows."
                .into(),
        ),
        Received::Incomplete => (
            StatusCode::BAD_REQUEST,
            "Not accepted",
            "This address lacks the code or the state that a sign-in ends with. Nothing was done. \
             Use the link that Vega shows."
                .into(),
        ),
    };
    page(status, heading, &words)
}
