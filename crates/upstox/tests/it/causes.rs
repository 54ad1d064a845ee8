//! Why no answer came, through the real client: whatever failed is told by its cause, with host, port and proxy.

use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::BrokerClock;
use vega_upstox::{DateHeaderClock, HttpClient, Proxy};

/// Upstox's name, for a proxy that never leads there.
const UPSTOX: &str = "https://api.upstox.example";

async fn failure(base: &str, proxy: Option<Proxy>) -> Failure {
    let http = HttpClient::through(proxy).unwrap();
    let base = Url::parse(base).unwrap();
    let clock = DateHeaderClock::new(&http, &base, Duration::from_secs(3)).unwrap();
    clock.time().await.unwrap_err()
}

fn proxy(address: &str) -> Proxy {
    Proxy {
        url: Ok(Url::parse(&format!("http://{address}")).unwrap()),
        named_by: "HTTPS_PROXY".into(),
        except: String::new(),
    }
}

/// Somebody who answers every connection like this, and hangs up.
async fn says(words: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(words.as_bytes()).await;
        }
    });
    address.to_string()
}

async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_refused_connection_names_host_and_port() {
    let address = nobody().await;
    let failure = failure(&format!("http://{address}"), None).await;
    assert_eq!(failure.reason, FailureReason::Network);
    assert!(failure.detail.starts_with(&format!("{address}: ")), "{failure}");
    assert!(
        failure.detail.to_lowercase().contains("connection refused"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_no_broken_network() {
    let failure = failure("https://api.upstox.invalid", None).await;
    assert_eq!(failure.reason, FailureReason::NameUnresolved, "{failure}");
    assert!(
        failure.detail.starts_with("api.upstox.invalid:443: "),
        "{failure}"
    );
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_said() {
    let address = says("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let failure = failure(&format!("https://{address}"), None).await;
    assert_eq!(failure.reason, FailureReason::Network, "{failure}");
    assert!(failure.detail.contains("does not speak TLS"), "{failure}");
}

#[tokio::test]
async fn a_silent_server_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let failure = failure(&format!("http://{address}"), None).await;
    assert_eq!(failure.detail, format!("{address}: no answer in time"));
}

#[rstest]
#[case::forbidden(
    "HTTP/1.1 403 Forbidden\r\nServer: squid\r\n\r\n",
    "refuses the way to api.upstox.example:443 (HTTP 403)"
)]
#[case::wants_a_name(
    "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    "wants a name and a password (HTTP 407)"
)]
#[case::cannot_either(
    "HTTP/1.1 502 Bad Gateway\r\n\r\n",
    "could not reach api.upstox.example:443 either (HTTP 502)"
)]
#[case::hangs_up("", "does not answer as a proxy does")]
#[case::another_service("220 mail.example ESMTP\r\n", "does not answer as a proxy does")]
#[tokio::test]
async fn what_a_proxy_says_is_told_with_its_name(#[case] words: &'static str, #[case] told: &str) {
    let address = says(words).await;
    let failure = failure(UPSTOX, Some(proxy(&address))).await;
    assert_eq!(failure.reason, FailureReason::Proxy, "{failure}");
    let expected = format!("the proxy {address} of HTTPS_PROXY {told}");
    assert!(failure.detail.starts_with(&expected), "{failure}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_with_its_name() {
    let address = nobody().await;
    let failure = failure(UPSTOX, Some(proxy(&address))).await;
    assert_eq!(failure.reason, FailureReason::Proxy, "{failure}");
    let expected = format!("the proxy {address} of HTTPS_PROXY cannot be reached: ");
    assert!(failure.detail.starts_with(&expected), "{failure}");
}

/// A proxy of the environment that Vega cannot use is nobody's reason to go around it, and none to send anything.
#[tokio::test]
async fn nothing_is_sent_where_the_proxy_cannot_be_used() {
    let unusable = Proxy {
        url: Err("\"socks5://127.0.0.1:9\", which is no proxy that Vega can use".into()),
        ..proxy("127.0.0.1:9")
    };
    let found = failure(UPSTOX, Some(unusable.clone())).await;
    assert_eq!(found.reason, FailureReason::Proxy, "{found}");
    assert!(
        found
            .detail
            .starts_with("HTTPS_PROXY is \"socks5://127.0.0.1:9\", which is no proxy"),
        "{found}"
    );
    // What needs no proxy goes on.
    let address = says("HTTP/1.1 401 Unauthorized\r\ndate: Sat, 28 Nov 2026 03:15:00 GMT\r\n\r\n").await;
    let http = HttpClient::through(Some(unusable)).unwrap();
    let base = Url::parse(&format!("http://{address}")).unwrap();
    let clock = DateHeaderClock::new(&http, &base, Duration::from_secs(3)).unwrap();
    assert!(clock.time().await.unwrap().is_some());
}

/// This computer's own services are never asked for through a proxy, and nothing without TLS is.
#[tokio::test]
async fn loopback_is_never_proxied() {
    let (dead_proxy, address) = (nobody().await, nobody().await);
    for scheme in ["http", "https"] {
        let failure = failure(&format!("{scheme}://{address}"), Some(proxy(&dead_proxy))).await;
        assert_eq!(failure.reason, FailureReason::Network, "{failure}");
        assert!(failure.detail.starts_with(&address), "{failure}");
    }
}
