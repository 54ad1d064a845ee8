//! The same table for the middleware and the layer: what is sent, what is sent again, and what is reported.

mod fake_source;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::routing::any;
use futures_util::future::{Ready, ready};
use rstest::rstest;
use tower_layer::Layer;
use tower_service::Service;

use super::Bearer;
use fake_source::FakeSource;

/// An Upstox that takes only `token-2`, and what was sent to it.
#[derive(Clone, Default)]
struct Broker(Arc<Mutex<Vec<String>>>);

impl Broker {
    fn answers(&self, headers: &header::HeaderMap, body: &str) -> StatusCode {
        let bearer = headers.get(header::AUTHORIZATION);
        let bearer = bearer.map_or("none", |value| value.to_str().unwrap()).to_owned();
        let is_good = bearer == "Bearer token-2";
        self.0.lock().unwrap().push(format!("{bearer}{body}"));
        if is_good {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        }
    }

    fn got(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn listen(&self) -> String {
        let broker = self.clone();
        let answer = async move |request: Request| {
            let headers = request.headers().clone();
            let body = axum::body::to_bytes(request.into_body(), 100).await.unwrap();
            broker.answers(&headers, std::str::from_utf8(&body).unwrap())
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(any(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        origin
    }
}

impl Service<http::Request<String>> for Broker {
    type Response = http::Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<String>) -> Self::Future {
        let mut response = http::Response::new(());
        *response.status_mut() = self.answers(request.headers(), request.body());
        ready(Ok(response))
    }
}

#[derive(Debug, Clone, Copy)]
enum By {
    Reqwest,
    Tower,
}

impl By {
    async fn send(
        self,
        source: &FakeSource,
        method: Method,
        body: &str,
    ) -> (Result<u16, String>, Vec<String>) {
        let broker = Broker::default();
        let origin = broker.listen().await;
        let bearer = Bearer::new(source.clone()).also_to(&origin).unwrap();
        let url = format!("{origin}/v2/order");
        let status = match self {
            Self::Reqwest => {
                let plain = reqwest::Client::builder().no_proxy().build().unwrap();
                let client = reqwest_middleware::ClientBuilder::new(plain).with(bearer).build();
                let sent = client.request(method, url).body(body.to_owned()).send().await;
                sent.map(|response| response.status())
                    .map_err(|error| error.to_string())
            }
            Self::Tower => {
                let request = http::Request::builder()
                    .method(method)
                    .uri(url)
                    .body(body.to_owned())
                    .unwrap();
                let sent = bearer.layer(broker.clone()).call(request).await;
                sent.map(|response| response.status())
                    .map_err(|error| error.to_string())
            }
        };
        (status.map(|status| status.as_u16()), broker.got())
    }
}

#[rstest]
#[tokio::test]
async fn a_call_that_may_be_repeated_is_made_again_once_with_the_newer_token(
    #[values(By::Reqwest, By::Tower)] by: By,
    #[values(Method::GET, Method::PUT, Method::DELETE)] method: Method,
) {
    let source = FakeSource::that_has_after_a_report(Some(2));
    let (status, got) = by.send(&source, method, "&").await;
    assert_eq!((status, source.reported()), (Ok(200), vec![1]));
    assert_eq!(got, ["Bearer token-1&", "Bearer token-2&"]);
}

#[rstest]
#[case::the_same(Some(1), 1)]
#[case::none(None, 1)]
#[case::another_dead_one(Some(3), 2)]
#[tokio::test]
async fn without_a_better_token_the_refusal_is_the_callers(
    #[case] after_report: Option<u32>,
    #[case] calls: usize,
    #[values(By::Reqwest, By::Tower)] by: By,
) {
    let source = FakeSource::that_has_after_a_report(after_report);
    let (status, got) = by.send(&source, Method::GET, "").await;
    assert_eq!((status, got.len(), source.reported()), (Ok(401), calls, vec![1]));
}

#[rstest]
#[tokio::test]
async fn an_order_is_never_sent_twice_but_its_refusal_is_reported(#[values(By::Reqwest, By::Tower)] by: By) {
    let source = FakeSource::that_has_after_a_report(Some(2));
    let (status, got) = by.send(&source, Method::POST, "").await;
    assert_eq!((status, got.len()), (Ok(401), 1));
    while source.reported() != [1] {
        tokio::task::yield_now().await;
    }
}

#[rstest]
#[tokio::test]
async fn without_a_token_nothing_is_sent(#[values(By::Reqwest, By::Tower)] by: By) {
    let source = FakeSource::that_has_after_a_report(None);
    source.has(None);
    let (status, got) = by.send(&source, Method::GET, "").await;
    assert_eq!((status.unwrap_err().as_str(), got.len()), ("no token", 0));
}

/// A broker beside which the newer token arrives just when it refuses the old one.
#[derive(Clone)]
struct LateBroker(Broker, FakeSource);

impl Service<http::Request<String>> for LateBroker {
    type Response = http::Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<String>) -> Self::Future {
        self.1.has(Some(2));
        self.0.call(request)
    }
}

#[tokio::test]
async fn a_token_that_came_meanwhile_is_taken_without_a_report() {
    let (source, broker) = (FakeSource::that_has_after_a_report(None), Broker::default());
    let bearer = Bearer::new(source.clone());
    let request = http::Request::get("https://api.upstox.com/")
        .body(String::new())
        .unwrap();
    let answered = bearer
        .layer(LateBroker(broker.clone(), source.clone()))
        .call(request)
        .await;
    assert_eq!(answered.unwrap().status(), StatusCode::OK);
    assert_eq!(broker.got(), ["Bearer token-1", "Bearer token-2"]);
    assert!(source.reported().is_empty());
}

#[rstest]
#[case::upstox("https://api.upstox.com/v2/user/profile", true)]
#[case::orders("https://api-hft.upstox.com/v3/order/place", true)]
#[case::the_name_itself("https://upstox.com/", true)]
#[case::named("http://127.0.0.1:7777/v2", true)]
#[case::another_port("http://127.0.0.1:7778/v2", false)]
#[case::plain("http://api.upstox.com/v2", false)]
#[case::a_name_that_ends_alike("https://evilupstox.com/", false)]
#[case::a_name_below_another("https://api.upstox.com.evil.example/", false)]
#[case::a_user_that_looks_alike("https://api.upstox.com@evil.example/", false)]
#[case::anybody("https://example.com/", false)]
#[tokio::test]
async fn a_token_goes_to_upstox_and_where_it_was_told_to(#[case] url: &str, #[case] goes: bool) {
    let (source, broker) = (FakeSource::that_has_after_a_report(None), Broker::default());
    source.has(Some(2));
    let bearer = Bearer::new(source).also_to("http://127.0.0.1:7777").unwrap();
    let request = http::Request::get(url).body(String::new()).unwrap();
    bearer.layer(broker.clone()).call(request).await.unwrap();
    assert_eq!(broker.got(), [if goes { "Bearer token-2" } else { "none" }]);
}

#[rstest]
#[case("http://10.0.0.5:80", "everybody on the way could read it")]
#[case("ftp://127.0.0.1", "everybody on the way could read it")]
#[case("nowhere", "is no URL")]
fn a_token_is_told_to_go_nowhere_in_plain_text(#[case] origin: &str, #[case] words: &str) {
    let bearer = Bearer::new(FakeSource::that_has_after_a_report(None));
    let error = bearer.also_to(origin).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}
