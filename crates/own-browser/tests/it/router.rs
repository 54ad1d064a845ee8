//! The callback as a part of another server, which has pages of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use url::Url;
use vega_domain::account::RedirectUri;
use vega_domain::ports::Clock;
use vega_own_browser::{CodeReceiver, callback_router};

use crate::journal::Journal;
use crate::world::{StandingClock, browse, browse_as, look_ahead};

#[tokio::test]
async fn the_callback_is_a_guest_in_another_router() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let journal = Arc::new(Journal::default());
    journal.opens("S-1", "PRIMARY");
    let receiver = CodeReceiver::new(journal.clone(), journal, Arc::new(StandingClock));
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

/// Seconds after some moment.
#[derive(Default)]
struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + self.0.load(Ordering::Relaxed), 0).unwrap()
    }
}

/// A server lives for weeks: what strangers did on its first day must not hide what they do later.
#[tokio::test]
async fn refusals_go_on_record_again_in_the_next_hour() {
    let (journal, clock) = (Arc::new(Journal::default()), Arc::new(MovedClock::default()));
    let receiver = CodeReceiver::new(journal.clone(), journal.clone(), clock.clone());
    let foreign = Url::parse("http://localhost/cb?code=x&state=y").unwrap();
    for (seconds, on_record) in [(0, 100), (3_599, 100), (3_600, 201), (0, 302)] {
        clock.0.store(seconds, Ordering::Relaxed);
        for _ in 0..110 {
            receiver.receive(&foreign).await.unwrap();
        }
        assert_eq!(journal.audited().len(), on_record, "after {seconds} s");
    }
    let audited = journal.audited();
    let summary = audited.iter().find(|entry| entry.contains("not on record"));
    let summary = summary.unwrap();
    assert!(
        summary.contains("120 because no sign-in sent its state"),
        "{summary}"
    );
}

/// Nobody comes any more: what was left out is told all the same.
#[tokio::test(start_paused = true)]
async fn what_was_left_out_is_summed_up_when_the_hour_is_over() {
    let (journal, clock) = (Arc::new(Journal::default()), Arc::new(MovedClock::default()));
    let receiver = CodeReceiver::new(journal.clone(), journal.clone(), clock.clone());
    let foreign = Url::parse("http://localhost/cb?code=x&state=y").unwrap();
    let bare = Url::parse("http://localhost/cb").unwrap();
    for number in 0..130 {
        let url = if number % 2 == 0 { &foreign } else { &bare };
        receiver.receive(url).await.unwrap();
    }
    assert_eq!(journal.audited().len(), 100);
    clock.0.store(3_601, Ordering::Relaxed);
    tokio::time::sleep(std::time::Duration::from_secs(3_700)).await;
    let audited = journal.audited();
    assert_eq!(audited.len(), 101);
    let summary = audited.last().unwrap();
    assert!(
        summary.contains("30 more") && summary.contains("15 because it lacked a code or a state"),
        "{summary}"
    );
}
