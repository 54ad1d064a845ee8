//! Proves that a WebDriver is available before anybody is asked for anything: starts it, asks it whether it can open a
//! session, and ends it. No browser starts, so no window opens before the operator has said yes. Whether browser and
//! driver fit each other is decided by their versions, which `bootstrap` compares.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};

use crate::driver::Driver;
use crate::scratch::scratch_folder;
use crate::settings::{BrowserSettings, DriverSource};
use crate::start_failure::BY_HAND;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Far more than a WebDriver says about itself.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Starts the driver, asks it and ends it; a driver that somebody else runs is only asked. The text of a failure says
/// what was tried.
pub async fn prove_driver(settings: &BrowserSettings) -> Result<(), Failure> {
    let unavailable = |words: String| Failure::new(FailureReason::BrowserUnavailable, words);
    match &settings.driver {
        DriverSource::Running(url) => ask(url).await.map_err(|why| {
            unavailable(format!(
                "{why}. Start the WebDriver that browser.webdriver_url names, or take that setting out"
            ))
        }),
        DriverSource::Start(program) => {
            let scratch = scratch_folder(settings)
                .map_err(|error| unavailable(format!("no folder for its short-lived files: {error}")))?;
            let driver =
                Driver::start(program, settings, scratch.path(), &[scratch.path().to_owned()]).await?;
            let asked = ask(driver.url()).await;
            driver.end().await;
            asked.map_err(|why| {
                unavailable(format!("{} was started, but {why}. {BY_HAND}", program.display()))
            })
        }
    }
}

/// What every WebDriver answers to "status".
#[derive(Deserialize)]
struct Status {
    value: Value,
}

#[derive(Deserialize)]
struct Value {
    ready: bool,
}

async fn ask(driver: &Url) -> Result<(), String> {
    let url = driver
        .join("status")
        .map_err(|error| format!("{driver} is no address to ask: {error}"))?;
    let body = tokio::time::timeout(ANSWER_TIMEOUT, get(&url))
        .await
        .map_err(|_| format!("{url} did not answer within {} seconds", ANSWER_TIMEOUT.as_secs()))??;
    match serde_json::from_slice::<Status>(&body) {
        Ok(status) if status.value.ready => Ok(()),
        Ok(_) => Err(format!("{url} says that it can open no browser now")),
        Err(_) => Err(format!("{url} answers, but not as a WebDriver does")),
    }
}

async fn get(url: &Url) -> Result<Vec<u8>, String> {
    let silent = |error: &(dyn std::error::Error + 'static)| {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let cause = causes.last().map(ToString::to_string);
        format!("{url} does not answer: {}", cause.unwrap_or_default())
    };
    let address = url
        .as_str()
        .parse()
        .map_err(|_| format!("{url} is no address to ask"))?;
    let client: Client<_, String> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.get(address).await.map_err(|error| silent(&error))?;
    let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
    match body {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) => Err(silent(&*error)),
    }
}
