//! One private browser: driver, incognito window, profile folder. Opened once per account and run, and removed
//! afterwards on every path.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fantoccini::error::NewSessionError;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use url::Url;
use vega_domain::account::Account;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;

use crate::command::{COMMAND_TIMEOUT, Trouble, command, silent_dialog};
use crate::driver::Driver;
use crate::launch::Launch;
use crate::redirect_kept;
use crate::scratch::{remove_leftovers, scratch_folder};
use crate::settings::{BrowserSettings, DriverSource};
use crate::start_failure::{Ended, Program, explained};
use crate::tabs::Tabs;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How the names of profile folders begin.
const PROFILE: &str = "session-";

/// An open browser.
#[derive(Debug)]
pub(crate) struct BrowserSession {
    client: Client,
    driver: Option<Driver>,
    /// Profile and short-lived files.
    folders: [TempDir; 2],
    /// The window shows a page of the browser's or of Vega's own.
    shows_ours: AtomicBool,
}

impl BrowserSession {
    /// Starts driver and browser for an account's sign-ins. The caller holds the sign-in lease, so profiles found here
    /// are left over from dead sessions.
    pub(crate) async fn open(settings: &BrowserSettings, account: &Account) -> Result<Self, Failure> {
        let unavailable = |words: String| Failure::new(FailureReason::BrowserUnavailable, words);
        remove_profiles(&settings.profiles);
        remove_leftovers(settings);
        let folder = tempfile::Builder::new()
            .prefix(PROFILE)
            .tempdir_in(&settings.profiles)
            .map_err(|error| {
                unavailable(format!(
                    "no profile folder in {}: {error}",
                    settings.profiles.display()
                ))
            })?;
        let scratch = scratch_folder(settings).map_err(|error| {
            unavailable(format!("no folder for the browser's short-lived files: {error}"))
        })?;
        let (driver, url, launch) = match &settings.driver {
            DriverSource::Start(program) => {
                let folders = [folder.path().to_owned(), scratch.path().to_owned()];
                let launch = settings.binary.as_deref().and_then(|browser| {
                    let prepared = Launch::prepare(folder.path(), browser);
                    prepared.unwrap_or_else(|error| {
                        tracing::debug!(%error, "the browser starts without being heard");
                        None
                    })
                });
                let environment =
                    redirect_kept::past_proxies(&settings.environment, account, &settings.authorize_base);
                let settings = BrowserSettings {
                    environment,
                    ..settings.clone()
                };
                let driver = Driver::start(program, &settings, scratch.path(), &folders).await?;
                let url = driver.url().clone();
                (Some(driver), url, launch)
            }
            DriverSource::Running(url) => (None, url.clone(), None),
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(
            settings,
            launch.as_ref(),
            &folder.path().join("profile"),
            account,
        ));
        match connect(&builder, &url, settings, launch.as_ref()).await {
            Ok(client) => {
                if let Some(launch) = &launch {
                    launch.forget();
                }
                Ok(Self {
                    client,
                    driver,
                    folders: [folder, scratch],
                    shows_ours: AtomicBool::new(true),
                })
            }
            Err(words) => {
                if let Some(driver) = driver {
                    driver.end().await;
                }
                Err(unavailable(words))
            }
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Opens `url` in place of what is shown. Does not wait until pages have loaded.
    pub(crate) async fn go_to(&self, url: &Url) -> Result<(), Failure> {
        Tabs::only_one(&self.client).await?;
        // An address left from the sign-in before must not be taken for this one's redirect.
        if !self.shows_ours.swap(false, Ordering::Relaxed) {
            command(self.client.goto("about:blank")).await?;
        }
        match command(self.client.goto(url.as_str())).await {
            // A redirect chain that ends at a closed port is such trouble, and yet the address is there to read.
            Ok(()) | Err(Trouble::Passing(_) | Trouble::Said(_)) => Ok(()),
            Err(Trouble::Silent) => Err(silent_dialog()),
            Err(gone @ (Trouble::Closed | Trouble::Gone(_))) => Err(gone.into()),
        }
    }

    /// Shows the human that the sign-in for `api` is done: otherwise the browser's error page would be shown, with the
    /// code in its address. If this fails, nothing changes.
    pub(crate) async fn show_done(&self, api: &ApiName) {
        let page = redirect_kept::done_page(api.as_str());
        let shown = tokio::time::timeout(CLOSE_TIMEOUT, command(self.client.goto(&page))).await;
        let is_shown = matches!(shown, Ok(Ok(())));
        self.shows_ours.store(is_shown, Ordering::Relaxed);
        if !is_shown {
            tracing::debug!("the window does not say that the sign-in is done");
        }
    }

    /// Ends browser and driver and removes the profile.
    pub(crate) async fn close(self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.client.close()).await;
        if let Some(driver) = self.driver {
            driver.end().await;
        }
        for folder in self.folders {
            // With the driver its keepers have removed them.
            if let Err(error) = folder.close()
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a folder of the browser could not be removed; it goes at the next sign-in");
            }
        }
    }
}

/// Lets the driver start the browser. The error says why it did not start, in the browser's own words if there are any.
async fn connect(
    builder: &ClientBuilder<HttpConnector>,
    url: &Url,
    settings: &BrowserSettings,
    launch: Option<&Launch>,
) -> Result<Client, String> {
    let browser = Program::Browser(settings);
    let failed = async {
        match launch {
            Some(launch) => launch.failed().await,
            None => std::future::pending().await,
        }
    };
    let connecting = tokio::time::timeout(COMMAND_TIMEOUT, builder.connect(url.as_str()));
    let answer = tokio::select! {
        answer = connecting => answer,
        ended = failed => return Err(explained(&browser, &ended)),
    };
    let said = match answer {
        Ok(Ok(client)) => return Ok(client),
        Ok(Err(error)) => first_line(&error),
        Err(_) => format!(
            "the browser did not start within {} seconds",
            COMMAND_TIMEOUT.as_secs()
        ),
    };
    let ended = match launch {
        Some(launch) => launch.given_up().await,
        None => Ended::default(),
    };
    if ended == Ended::default() {
        return Err(format!("the browser did not start: {said}"));
    }
    Err(explained(&browser, &ended))
}

/// The driver's message without its stack.
fn first_line(error: &NewSessionError) -> String {
    let words = match error {
        NewSessionError::SessionNotCreated(error) => error.message.to_string(),
        error => error.to_string(),
    };
    words.lines().next().unwrap_or_default().to_owned()
}

fn capabilities(
    settings: &BrowserSettings,
    launch: Option<&Launch>,
    profile: &Path,
    account: &Account,
) -> Capabilities {
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
    // A log file beside the profile would hold what pages say.
    let mut options = json!({ "args": args, "excludeSwitches": ["enable-logging"] });
    let binary = launch.map(|launch| &launch.program).or(settings.binary.as_ref());
    if let Some(binary) = binary {
        options["binary"] = json!(binary);
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), options);
    // Nothing waits for a page: the state machine looks, whatever is there.
    capabilities.insert("pageLoadStrategy".into(), json!("none"));
    capabilities.insert("timeouts".into(), json!({ "pageLoad": 15_000, "script": 10_000 }));
    capabilities
}

/// Removes profiles of sessions that did not end well. They are in a private folder of this installation alone.
fn remove_profiles(profiles: &Path) {
    let entries = std::fs::read_dir(profiles).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(PROFILE) {
            tracing::debug!("removing a profile of a session that did not end well");
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
