//! Finds the browser and its driver, and says what is missing before anybody is asked for an OTP.

use std::path::PathBuf;

use thiserror::Error;
use vega_persistence::{FileError, create_private_dir};
use vega_selenium::{BrowserSettings, DriverSource};

use crate::environment::Environment;
use crate::settings::Settings;

const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVERS: &[&str] = &["chromedriver"];

/// Why no sign-in can be made in a browser here.
#[derive(Debug, Error)]
pub enum BrowserProblem {
    /// A configured or looked-for program is not there.
    #[error("{what} was not found{place}. {fix}")]
    NotFound {
        /// Chromium or ChromeDriver.
        what: &'static str,
        /// Where it was looked for.
        place: String,
        /// How to get it.
        fix: &'static str,
    },
    /// No window can open.
    #[error(
        "there is no display for the browser window (DISPLAY and WAYLAND_DISPLAY are not set). \
         Run vega in a desktop session, or set VEGA__BROWSER__HEADLESS=true where nobody has to type in the window"
    )]
    NoDisplay,
    /// The folder for profiles cannot be made.
    #[error(transparent)]
    Profiles(#[from] FileError),
}

/// The settings of the browser route; programs that were not found keep their bare names.
pub(crate) fn browser_settings(settings: &Settings, environment: &Environment) -> BrowserSettings {
    let driver = match &settings.browser.webdriver_url {
        Some(url) => DriverSource::Running(url.clone()),
        None => DriverSource::Start(
            chromedriver(settings, environment).unwrap_or_else(|| PathBuf::from(DRIVERS[0])),
        ),
    };
    BrowserSettings {
        authorize_base: settings.api_base_url.clone(),
        driver,
        binary: binary(settings, environment),
        headless: settings.browser.headless,
        profiles: settings.browser_profiles.clone(),
        human_timeout: settings.human_timeout,
        environment: environment.for_children(),
    }
}

/// Checks that a browser can be started, and makes the folder for its profiles.
pub(crate) fn check(settings: &Settings, environment: &Environment) -> Result<(), BrowserProblem> {
    create_private_dir(&settings.browser_profiles)?;
    if settings.browser.webdriver_url.is_some() {
        return Ok(());
    }
    if chromedriver(settings, environment).is_none() {
        return Err(BrowserProblem::NotFound {
            what: "ChromeDriver",
            place: place(settings.browser.chromedriver.as_ref()),
            fix: "On Debian: apt install chromium-driver. Elsewhere set VEGA__BROWSER__CHROMEDRIVER",
        });
    }
    if binary(settings, environment).is_none() {
        return Err(BrowserProblem::NotFound {
            what: "Chromium",
            place: place(settings.browser.binary.as_ref()),
            fix: "On Debian: apt install chromium. Elsewhere set VEGA__BROWSER__BINARY",
        });
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| environment.get(name).is_some());
    if cfg!(target_os = "linux") && !settings.browser.headless && !has_display {
        return Err(BrowserProblem::NoDisplay);
    }
    Ok(())
}

fn chromedriver(settings: &Settings, environment: &Environment) -> Option<PathBuf> {
    configured_or_found(settings.browser.chromedriver.as_ref(), environment, DRIVERS)
}

fn binary(settings: &Settings, environment: &Environment) -> Option<PathBuf> {
    configured_or_found(settings.browser.binary.as_ref(), environment, BROWSERS)
}

fn configured_or_found(
    configured: Option<&PathBuf>,
    environment: &Environment,
    programs: &[&str],
) -> Option<PathBuf> {
    match configured {
        Some(path) => path.is_file().then(|| path.clone()),
        None => environment.find_program(programs),
    }
}

fn place(configured: Option<&PathBuf>) -> String {
    configured.map_or_else(|| " on the path".into(), |path| format!(" at {}", path.display()))
}
