//! The settings of the browser route. The settings of the whole program find and check them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// Where the WebDriver comes from.
#[derive(Debug, Clone)]
pub enum DriverSource {
    /// This ChromeDriver is started for each session and ended with it.
    Start(PathBuf),
    /// A WebDriver that somebody else runs.
    Running(Url),
}

/// Settings of the browser route.
#[derive(Debug, Clone)]
pub struct BrowserSettings {
    /// Where the dialog is: `https://api.upstox.com`.
    pub authorize_base: Url,
    /// Where the WebDriver comes from.
    pub driver: DriverSource,
    /// The browser to start; `None` leaves the choice to the driver.
    pub binary: Option<PathBuf>,
    /// No window. Only on explicit request: the human works in the window.
    pub headless: bool,
    /// A private folder; each session's profile lives below it and is removed at its end.
    pub profiles: PathBuf,
    /// A private folder for the evidence of failed sign-ins.
    pub evidence: PathBuf,
    /// Longest wait for the human at one screen.
    pub human_timeout: Duration,
    /// The environment of the driver and browser: the program's own, without anything of Vega's.
    pub environment: Vec<(OsString, OsString)>,
}
