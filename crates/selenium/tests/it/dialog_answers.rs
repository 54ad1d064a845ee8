//! The dialog answers with something that is no login page: told at once as what it is, and nothing is typed or pressed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use vega_domain::failure::FailureReason;

use crate::broker::{Broker, Page};
use crate::documents::mobile;
use crate::sign_in::SignInDesk;

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

#[tokio::test]
async fn the_browsers_own_error_page_is_told_with_its_code() -> Result<()> {
    let broker = Broker::start(|_| Page::to("http://127.0.0.1:1/")).await?;
    let desk = SignInDesk::new(&broker, "http://localhost:28020/cb")?;
    let (reason, detail, took) = failure_of(&desk).await?;
    ensure!(
        reason == FailureReason::Network && took < AT_ONCE,
        "{reason} after {took:?}"
    );
    // Port 1 is one that Chromium opens for nobody.
    ensure!(detail.contains("ERR_UNSAFE_PORT"), "{detail}");
    Ok(())
}
