//! Finds the browser and its driver, and reports what is missing or does not match before anybody is asked for an OTP.

use std::path::{Path, PathBuf};

use thiserror::Error;
use vega_persistence::{FileError, create_private_dir};
use vega_selenium::{BrowserSettings, DriverSource, prove_driver};

use crate::machine::program_version::{self, Version};
use crate::settings::Settings;
use crate::settings::environment::{Environment, is_program};

const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVERS: &[&str] = &["chromedriver"];
/// On Linux this program makes the driver end with Vega.
const TIES: &[&str] = &["setpriv"];
const CORRECT: &str = "Correct it, or take it out to use what is on the path";

/// Why no sign-in in a browser is possible here.
#[derive(Debug, Error)]
pub(crate) enum BrowserProblem {
    /// A program that was configured or searched for is missing.
    #[error("{what} was not found{place}. {fix}")]
    NotFound {
        /// Chromium or ChromeDriver.
        what: &'static str,
        /// Where it was searched for.
        place: String,
        /// How to get it.
        fix: &'static str,
    },
    /// A configured program exists and cannot be run.
    #[error("{what} cannot be run: {} {why}. {fix}", .path.display())]
    NoProgram {
        /// Chromium or ChromeDriver.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// What to do about it.
        fix: String,
    },
    /// No window can open.
    #[error(
        "there is no display for the browser window (DISPLAY and WAYLAND_DISPLAY are not set). \
         Run Vega in a desktop session, or set VEGA__BROWSER__HEADLESS=true where nobody has to type in the window"
    )]
    NoDisplay,
    /// The driver does not fit this browser.
    #[error(
        "the browser and its driver do not match: {} is version {}, but {} is version {}, and ChromeDriver drives only \
         a browser with the same first number. On Debian: apt install chromium chromium-driver, so that both come from \
         one source. Else set VEGA__BROWSER__BINARY or VEGA__BROWSER__CHROMEDRIVER to one that matches the other",
        .browser.0.display(), .browser.1, .driver.0.display(), .driver.1
    )]
    VersionsDiffer {
        /// The browser and its version.
        browser: (PathBuf, String),
        /// The driver and its version.
        driver: (PathBuf, String),
    },
    /// The driver does not start, or does not answer.
    #[error("no browser can be driven here: {words}")]
    Driver {
        /// What was tried and seen, and what to do about it.
        words: String,
    },
    /// The folder for profiles cannot be made.
    #[error("{}{}", .0, .0.or_elsewhere("VEGA__DATABASE__URL"))]
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
        evidence: settings.evidence.clone(),
        human_timeout: settings.human_timeout,
        environment: environment.for_children(),
    }
}

/// Checks that browser and driver exist and fit, that a window can open and that the driver works, and makes the
/// folders for profiles and for evidence. The driver is started and ended for this check; the browser only prints its
/// version.
pub(crate) async fn check(settings: &Settings, environment: &Environment) -> Result<(), BrowserProblem> {
    create_private_dir(&settings.browser_profiles)?;
    if let Err(error) = create_private_dir(&settings.evidence) {
        tracing::warn!("{error}. Vega signs in without keeping evidence of what fails");
    }
    if settings.browser.webdriver_url.is_some() {
        return driver_works(settings, environment).await;
    }
    for (what, key, path) in [
        (
            "ChromeDriver",
            "browser.chromedriver",
            &settings.browser.chromedriver,
        ),
        ("Chromium", "browser.binary", &settings.browser.binary),
    ] {
        if let Some(path) = path.as_deref().filter(|path| path.exists()) {
            refuse_no_program(what, key, path)?;
        }
    }
    let driver = chromedriver(settings, environment).ok_or_else(|| BrowserProblem::NotFound {
        what: "ChromeDriver",
        place: place(settings.browser.chromedriver.as_ref(), "browser.chromedriver"),
        fix: match settings.browser.chromedriver {
            Some(_) => CORRECT,
            None => "On Debian: apt install chromium-driver. Elsewhere set VEGA__BROWSER__CHROMEDRIVER",
        },
    })?;
    let browser = binary(settings, environment).ok_or_else(|| BrowserProblem::NotFound {
        what: "Chromium",
        place: place(settings.browser.binary.as_ref(), "browser.binary"),
        fix: match settings.browser.binary {
            Some(_) => CORRECT,
            None => "On Debian: apt install chromium. Elsewhere set VEGA__BROWSER__BINARY",
        },
    })?;
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| environment.get(name).is_some());
    if cfg!(target_os = "linux") && !settings.browser.headless && !has_display {
        return Err(BrowserProblem::NoDisplay);
    }
    let variables = environment.for_children();
    let (browser_version, driver_version) = tokio::join!(
        program_version::read(&browser, &variables),
        program_version::read(&driver, &variables),
    );
    match (known(&browser, browser_version), known(&driver, driver_version)) {
        (Some(ours), Some(drivers)) if ours.major != drivers.major => Err(BrowserProblem::VersionsDiffer {
            browser: (browser, ours.to_string()),
            driver: (driver, drivers.to_string()),
        }),
        _ => {
            if cfg!(target_os = "linux") && environment.find_program(TIES).is_none() {
                return Err(BrowserProblem::NotFound {
                    what: "setpriv, which ends ChromeDriver when Vega dies,",
                    place: place(None, ""),
                    fix: "On Debian: apt install util-linux",
                });
            }
            driver_works(settings, environment).await
        }
    }
}

fn refuse_no_program(what: &'static str, key: &str, path: &Path) -> Result<(), BrowserProblem> {
    let (why, fix) = if path.is_dir() {
        (
            "is a folder",
            format!("Let {key} name the program in it, or take it out to use what is on the path"),
        )
    } else if !is_program(path) {
        (
            "may not be executed by this user",
            format!(
                "Allow it (chmod +x '{}'), or let {key} name another one",
                path.display()
            ),
        )
    } else {
        return Ok(());
    };
    let path = path.to_owned();
    Err(BrowserProblem::NoProgram { what, path, why, fix })
}

async fn driver_works(settings: &Settings, environment: &Environment) -> Result<(), BrowserProblem> {
    let proven = prove_driver(&browser_settings(settings, environment)).await;
    proven.map_err(|failure| BrowserProblem::Driver {
        words: failure.detail,
    })
}

fn known(program: &Path, version: Result<Version, String>) -> Option<Version> {
    version
        .inspect_err(|why| {
            tracing::warn!(
                "the version of {} cannot be read: {why}. Vega goes on without comparing it",
                program.display()
            );
        })
        .ok()
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

fn place(configured: Option<&PathBuf>, key: &str) -> String {
    configured.map_or_else(
        || " on the path".into(),
        |path| format!(" at {}, which {key} names", path.display()),
    )
}
