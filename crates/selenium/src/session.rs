//! One private browser: driver, incognito window, profile folder. Opened once per account and run, gone afterwards on
//! every path.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, error::CmdError};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use url::Url;
use vega_domain::account::Account;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;

use crate::driver::Driver;
use crate::redirect_kept;
use crate::settings::{BrowserSettings, DriverSource};
use crate::tabs::Tabs;

/// No single WebDriver command takes this long; after it the session is taken for lost.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// An open browser.
#[derive(Debug)]
pub(crate) struct BrowserSession {
    client: Client,
    driver: Option<Driver>,
    profile: TempDir,
    scratch: TempDir,
}

impl BrowserSession {
    /// Starts driver and browser for an account's sign-ins. The caller holds the sign-in lease, so profiles found here are
    /// left-overs.
    pub(crate) async fn open(settings: &BrowserSettings, account: &Account) -> Result<Self, Failure> {
        let unavailable = |words: String| Failure::new(FailureReason::BrowserUnavailable, words);
        remove_leftovers(&settings.profiles);
        let profile = tempfile::Builder::new()
            .prefix("session-")
            .tempdir_in(&settings.profiles)
            .map_err(|error| {
                unavailable(format!(
                    "no profile folder in {}: {error}",
                    settings.profiles.display()
                ))
            })?;
        let scratch = scratch_folder(&settings.profiles).map_err(|error| {
            unavailable(format!("no folder for the browser's short-lived files: {error}"))
        })?;
        let (driver, url) = match &settings.driver {
            DriverSource::Start(program) => {
                let environment =
                    redirect_kept::past_proxies(&settings.environment, account, &settings.authorize_base);
                let settings = BrowserSettings {
                    environment,
                    ..settings.clone()
                };
                let driver = Driver::start(program, &settings, scratch.path()).await?;
                let url = driver.url().clone();
                (Some(driver), url)
            }
            DriverSource::Running(url) => (None, url.clone()),
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(settings, profile.path(), account));
        let connected = tokio::time::timeout(COMMAND_TIMEOUT, builder.connect(url.as_str())).await;
        match connected {
            Ok(Ok(client)) => Ok(Self {
                client,
                driver,
                profile,
                scratch,
            }),
            Ok(Err(error)) => Err(unavailable(format!("the browser did not start: {error}"))),
            Err(_) => Err(unavailable("the browser did not start in time".into())),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Leaves whatever is shown and opens `url`. The pages load by themselves; nothing waits for them.
    pub(crate) async fn go_to(&self, url: &Url) -> Result<(), Failure> {
        Tabs::only_one(&self.client).await?;
        // An address left from the sign-in before must not be taken for this one's redirect.
        command(self.client.goto("about:blank")).await?;
        match command(self.client.goto(url.as_str())).await {
            // A redirect chain that ends at a closed port is such trouble, and yet the address is there to read.
            Ok(()) | Err(Trouble::Passing(_) | Trouble::Said(_)) => Ok(()),
            Err(gone @ Trouble::Gone(_)) => Err(gone.into()),
        }
    }

    /// Tells the human that the sign-in for `api` is done: else the browser's error page stood there, with the code in its
    /// address. Whether that works changes nothing.
    pub(crate) async fn show_done(&self, api: &ApiName) {
        let page = redirect_kept::done_page(api.as_str());
        let shown = tokio::time::timeout(CLOSE_TIMEOUT, command(self.client.goto(&page))).await;
        if !matches!(shown, Ok(Ok(()))) {
            tracing::debug!("the window does not say that the sign-in is done");
        }
    }

    /// Ends browser and driver and removes the profile.
    pub(crate) async fn close(self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.client.close()).await;
        if let Some(driver) = self.driver {
            driver.end().await;
        }
        for folder in [self.profile, self.scratch] {
            if let Err(error) = folder.close() {
                tracing::warn!(%error, "a folder of the browser could not be removed; it goes at the next sign-in");
            }
        }
    }
}

/// Why a WebDriver command did not work.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The page was changing under it; the next look tells.
    Passing(String),
    /// The page spoke in a dialog of the browser, which the driver has closed: these were its words.
    Said(String),
    /// Window, browser or driver are gone.
    Gone(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Said(_) => Self::new(
                FailureReason::BrowserGone,
                "a dialog of the page came again and again",
            ),
            Trouble::Passing(words) | Trouble::Gone(words) => Self::new(FailureReason::BrowserGone, words),
        }
    }
}

/// Runs one command within its time and tells passing trouble from the end.
pub(crate) async fn command<T>(future: impl Future<Output = Result<T, CmdError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(COMMAND_TIMEOUT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_the_end(&error) => Err(Trouble::Gone(kind(&error))),
        Ok(Err(error)) => Err(said(&error).map_or_else(|| Trouble::Passing(kind(&error)), Trouble::Said)),
        Err(_) => Err(Trouble::Gone("the browser does not answer".into())),
    }
}

/// `unexpected alert open: {Alert text : Incorrect PIN}`
fn said(error: &CmdError) -> Option<String> {
    let CmdError::Standard(error) = error else {
        return None;
    };
    if error.error() != "unexpected alert open" {
        return None;
    }
    let words = error
        .message
        .split_once("{Alert text :")
        .map_or("", |(_, words)| words);
    let words = words.rsplit_once('}').map_or(words, |(words, _)| words);
    Some(words.trim().chars().take(200).collect())
}

fn is_the_end(error: &CmdError) -> bool {
    match error {
        CmdError::Standard(error) => {
            let words = error.message.to_lowercase();
            matches!(error.error().as_str(), "no such window" | "invalid session id")
                || ["not reachable", "disconnected", "crashed", "session deleted"]
                    .iter()
                    .any(|sign| words.contains(sign))
        }
        CmdError::Failed(_) | CmdError::FailedC(_) | CmdError::Lost(_) => true,
        _ => false,
    }
}

/// Which error it was, without the page's content that a message may quote.
fn kind(error: &CmdError) -> String {
    match error {
        CmdError::Standard(error) => error.error(),
        CmdError::Failed(_) | CmdError::FailedC(_) | CmdError::Lost(_) => "the driver is gone".to_owned(),
        _ => "the driver gave an answer that is not WebDriver's".to_owned(),
    }
}

fn capabilities(settings: &BrowserSettings, profile: &Path, account: &Account) -> Capabilities {
    let mut args = vec![
        "--incognito".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        // With the pipe the browser ends when its driver does.
        "--remote-debugging-pipe".into(),
        "--no-first-run".into(),
        "--no-default-browser-check".into(),
        "--password-store=basic".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        "--disable-dev-shm-usage".into(),
        "--window-size=1280,900".into(),
    ];
    args.extend(redirect_kept::argument(account, &settings.authorize_base));
    if settings.headless {
        args.push("--headless=new".into());
    }
    #[cfg(unix)]
    if nix::unistd::geteuid().is_root() {
        tracing::info!("running as root: the browser's sandbox is off");
        args.push("--no-sandbox".into());
    }
    let mut options = json!({ "args": args });
    if let Some(binary) = &settings.binary {
        options["binary"] = json!(binary);
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), options);
    // Nothing waits for a page: the state machine looks, whatever is there.
    capabilities.insert("pageLoadStrategy".into(), json!("none"));
    capabilities.insert("timeouts".into(), json!({ "pageLoad": 15_000, "script": 10_000 }));
    capabilities
}

/// A private folder for the sockets that the browser makes beside its profile. It lies in the system's own folder for
/// such things, because a socket's path must be short; its name tells whose it is.
pub(crate) fn scratch_folder(profiles: &Path) -> std::io::Result<TempDir> {
    let prefix = scratch_prefix(profiles);
    tempfile::Builder::new().prefix(&prefix).tempdir()
}

fn scratch_prefix(profiles: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    profiles.hash(&mut hasher);
    format!("vega-{:08x}-", hasher.finish() >> 32)
}

/// Folders of sessions that did not end well.
fn remove_leftovers(profiles: &Path) {
    let system = std::env::temp_dir();
    for (folder, prefix) in [(profiles, "session-"), (&*system, &*scratch_prefix(profiles))] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                tracing::debug!("removing a folder of a session that did not end well");
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_session_left_goes_and_nothing_else() {
        let (mine, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let left = scratch_folder(mine.path()).unwrap().keep();
        let of_another_installation = scratch_folder(others.path()).unwrap();
        let profile = mine.path().join("session-1");
        std::fs::create_dir(&profile).unwrap();
        std::fs::write(mine.path().join("note"), "").unwrap();

        remove_leftovers(mine.path());
        assert!(!left.exists() && !profile.exists());
        assert!(of_another_installation.path().exists() && mine.path().join("note").exists());
    }
}
