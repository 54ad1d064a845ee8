//! The dialog answers with something that is no login page: told at once as what it is, and nothing is typed or pressed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use vega_domain::failure::FailureReason;
use vega_domain::sign_in::Notice;

use crate::broker::{Broker, Page};
use crate::documents::mobile;
use crate::sign_in::{STATE, SignInDesk};

/// A start of the browser on a busy machine, and a second or two.
const AT_ONCE: Duration = Duration::from_secs(15);

fn answers() -> Vec<(&'static str, Page, FailureReason, &'static str)> {
    let html = |status, body: &str| Page::with(status, "text/html", body);
    vec![
        (
            "an error without a code",
            Page::with(400, "application/json", r#"{"message":"Bad Request"}"#),
            FailureReason::ClientRejected,
            "JSON and no page (HTTP 400): \"{\"message\":\"Bad Request\"}\"",
        ),
        (
            "a proxy's page",
            html(
                403,
                "<title>Filtered</title><h1>Access to this site is not allowed</h1>",
            ),
            FailureReason::Blocked,
            "(HTTP 403): \"Filtered: Access to this site is not allowed\"",
        ),
        (
            "a gateway's page",
            html(502, "<h1>502 Bad Gateway</h1>"),
            FailureReason::BrokerDown,
            "(HTTP 502)",
        ),
        (
            "an empty page",
            html(200, ""),
            FailureReason::BrokerDown,
            "empty page",
        ),
        (
            "plain text",
            Page::with(200, "text/plain", "It works"),
            FailureReason::BrokerDown,
            "text/plain",
        ),
    ]
}

async fn failure_of(desk: &SignInDesk) -> Result<(FailureReason, String, Duration)> {
    let began = Instant::now();
    match desk.sign_in().await? {
        Ok(code) => anyhow::bail!("a code: {code}"),
        Err(failure) => Ok((failure.reason, failure.detail, began.elapsed())),
    }
}

#[tokio::test]
async fn an_answer_that_is_no_login_page_is_told_as_what_it_is() -> Result<()> {
    let mut wrong = Vec::new();
    for (name, page, expected, words) in answers() {
        let broker = Broker::start(move |_| page.clone()).await?;
        let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        let (reason, detail, took) = failure_of(&desk).await?;
        if reason != expected || !detail.contains(words) || took > AT_ONCE {
            wrong.push(format!("{name}: {reason} {detail:?} after {took:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// It asks for a mobile number in the very words of Upstox's page.
#[tokio::test]
async fn a_networks_login_gets_no_mobile_number() -> Result<()> {
    let form = mobile("", "", "").replace("<form>", "<form method=post action=/otp>");
    let portal =
        Broker::start(move |_| Page::html(format!("<!doctype html><title>Hotel</title>{form}"))).await?;
    let to = portal.url();
    let broker = Broker::start(move |_| Page::to(to.as_str())).await?;
    let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    let (reason, detail, took) = failure_of(&desk).await?;
    ensure!(
        reason == FailureReason::Network && took < AT_ONCE,
        "{reason} after {took:?}"
    );
    let host = format!("127.0.0.1:{}, which is not Upstox's", portal.port);
    ensure!(detail.contains(&host), "{detail}");
    ensure!(*desk.seen.presses.lock().unwrap() == 0, "pressed");
    ensure!(
        portal.asked().iter().all(|asked| !asked.line.starts_with("POST")),
        "{portal:?}"
    );
    Ok(())
}

/// Whatever its language is: the page says who it is by what it is made of.
#[tokio::test]
async fn a_page_that_looks_at_the_browser_is_waited_for() -> Result<()> {
    let go = format!("http://localhost:28020/cb?code=mk404x&state={STATE}");
    let page = format!(
        "<!doctype html><title>Einen ClockReading…</title><p>Sicherheitsüberprüfung</p><script>
           window._cf_chl_opt = {{ cType: 'managed' }};
           const script = document.createElement('script');
           script.src = '/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1?ray=8f0';
           document.head.append(script);
           setTimeout(() => {{ location.href = '{go}' }}, 4000);
         </script>"
    );
    let broker = Broker::start(move |_| Page::with(403, "text/html; charset=utf-8", page.clone())).await?;
    let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    let outcome = desk.sign_in().await?;
    ensure!(outcome.as_deref() == Ok("mk404x"), "{outcome:?}");
    ensure!(desk.events.notices() == [Notice::Challenge], "{:?}", desk.seen);
    Ok(())
}

/// Ends each connection once something was asked: with these words, and in peace or by a reset.
async fn ending(words: &'static str, in_peace: bool) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = connection.read(&mut [0; 8192]).await?;
                connection.write_all(words.as_bytes()).await?;
                if !in_peace {
                    connection.set_zero_linger()?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    Ok(port)
}

#[tokio::test]
async fn the_browsers_own_error_page_is_told_with_its_code() -> Result<()> {
    let closed = ending("", true).await?;
    let cut = ending("", false).await?;
    let plain = ending("HTTP/1.1 400 No TLS\r\n\r\n", true).await?;
    let empty = Broker::start(|_| Page::with(502, "text/html", "")).await?.port;
    let network = FailureReason::Network;
    let rows = [
        // Port 1 is one that Chromium opens for nobody.
        ("http://127.0.0.1:1/".to_owned(), network, "ERR_UNSAFE_PORT"),
        (
            "http://127.0.0.1:2/".to_owned(),
            network,
            "ERR_CONNECTION_REFUSED",
        ),
        (
            format!("http://127.0.0.1:{closed}/"),
            network,
            "ERR_EMPTY_RESPONSE",
        ),
        (
            format!("http://127.0.0.1:{cut}/"),
            network,
            "ERR_CONNECTION_RESET",
        ),
        (
            format!("https://127.0.0.1:{plain}/"),
            network,
            "ERR_SSL_PROTOCOL_ERROR",
        ),
        // Vega has the browser find no name where the redirect leads.
        (
            "http://localhost:28020/else".to_owned(),
            network,
            "ERR_NAME_NOT_RESOLVED",
        ),
        (
            "http://upstox.invalid/".to_owned(),
            network,
            "ERR_PROXY_CONNECTION_FAILED",
        ),
        (
            format!("http://127.0.0.1:{empty}/"),
            FailureReason::BrokerDown,
            "HTTP 502",
        ),
    ];
    let mut wrong = Vec::new();
    for (to, expected, code) in rows {
        let broker = Broker::start({
            let to = to.clone();
            move |_| Page::to(to.as_str())
        })
        .await?;
        let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        desk.environment = vec![("http_proxy", "http://127.0.0.1:2".into())];
        let (reason, detail, took) = failure_of(&desk).await?;
        if reason != expected || !detail.contains(code) || took > AT_ONCE {
            wrong.push(format!("{to}: {reason} {detail:?} after {took:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Takes connections and says nothing, as a firewall that swallows what comes back.
async fn silent() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    Ok(port)
}

#[tokio::test]
async fn a_silent_server_is_told_as_one() -> Result<()> {
    for scheme in ["http", "https"] {
        let to = format!("{scheme}://127.0.0.1:{}/", silent().await?);
        let broker = Broker::start(move |_| Page::to(to.as_str())).await?;
        let mut desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
        desk.human_timeout = Duration::from_secs(90);
        let (reason, detail, took) = failure_of(&desk).await?;
        ensure!(
            reason == FailureReason::Network
                && detail.contains("did not answer")
                && took < Duration::from_secs(75),
            "{scheme}: {reason} {detail:?} after {took:?}"
        );
    }
    Ok(())
}
