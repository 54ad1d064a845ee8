//! The callback as a part of another server, which has pages of its own.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use vega_domain::account::RedirectUri;
use vega_own_browser::{CodeReceiver, callback_router};
use vega_testing::TestClock;
use vega_testing::builders::at;

use crate::journal::Journal;
use crate::sign_in_fixture::{browse, browse_as, look_ahead};

#[tokio::test]
async fn the_callback_is_a_guest_in_another_router() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let journal = Journal::default();
    journal.opens("S-1", "PRIMARY").await;
    let receiver = CodeReceiver::new(journal.store.clone(), journal.store, TestClock::at(at(0)));
    // Two APIs with one path, and a path that a router could take for a pattern.
    let uris = [
        format!("http://{host}/cb"),
        format!("http://localhost:{}/cb", host.port()),
        format!("http://{host}/:cb"),
    ];
    let uris = uris.map(|uri| RedirectUri::new(uri).unwrap());
    let router = Router::new()
        .without_v07_checks()
        .fallback(async || (StatusCode::IM_A_TEAPOT, "the console"))
        .merge(callback_router(Arc::new(receiver), uris.into()));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    for elsewhere in ["/", "/other?code=mk404x&state=S-1"] {
        let page = browse(format!("http://{host}{elsewhere}")).await;
        assert_eq!((page.status, &*page.text), (418, "the console"), "{elsewhere}");
    }
    let url = format!("http://{host}/cb?code=mk404x&state=S-1");
    let rebound = browse_as(url.as_str(), Some("evil.example")).await;
    assert_eq!(rebound.status, 404, "{rebound:?}");
    assert_eq!(look_ahead(url.as_str()).await, 405);
    let page = browse(url).await;
    assert!(page.text.contains("Signed in"), "{page:?}");
    let other = browse(format!("http://{host}/:cb?code=mk404x&state=S-1")).await;
    assert!(other.text.contains("Received before"), "{other:?}");
}
