//! The settings of both programs: what can be set, and the defaults. Every error says what is wrong, where, and what to
//! do.

pub(crate) mod accounts;
pub(crate) mod effective;
pub(crate) mod env_file;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod known_keys;
pub(crate) mod layers;
pub(crate) mod load_settings;
pub(crate) mod network;
pub(crate) mod places;
pub(crate) mod proxies;
pub(crate) mod redirect_warnings;
pub(crate) mod server_section;
pub(crate) mod settings_error;
pub(crate) mod socket;
pub(crate) mod sources;
pub(crate) mod toml_file;
pub(crate) mod toml_tables;
pub(crate) mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;
use vega_domain::account::{Account, Route};
use vega_domain::accounts::Accounts;
use vega_domain::check_times::CheckTimes;
use vega_domain::sign_in::OtpBudget;
use vega_domain::token_file::TokenFile;
use vega_persistence::{DatabasePlace, KeySource};
use vega_upstox::Proxy;

use crate::settings::server_section::ServerSection;
use crate::settings::settings_error::SettingsError;
use crate::settings::socket::SocketSection;
use crate::settings::sources::{KEY_FILE, Sources, secret_file};
use crate::telemetry::LogFormat;

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The accounts with their APIs.
    pub accounts: Accounts,
    /// Upstox's API.
    pub api_base_url: Url,
    /// The proxy for Vega's own calls to it; `None` for no proxy.
    pub proxy: Option<Proxy>,
    /// `sqlite://PATH`.
    pub database_url: String,
    /// The same, with what is needed to get there.
    pub database_place: DatabasePlace,
    /// The file with the password for a database on a server.
    pub password_file: Option<PathBuf>,
    /// Where the root key is.
    pub key_source: KeySource,
    /// The browser.
    pub browser: BrowserSection,
    /// The route of accounts that name none themselves.
    pub route: Route,
    /// Whether the links of the own-browser route open in the system's browser; requested on the command line.
    pub open_links: bool,
    /// OTP presses per mobile number and window.
    pub otp_budget: OtpBudget,
    /// How long an account's sign-ins stay closed after Upstox throttled them or nobody was at the desk.
    pub cooldown: Duration,
    /// Longest wait for a human at one screen.
    pub human_timeout: Duration,
    /// The greatest number of profile calls at the same time.
    pub verification_parallel: usize,
    /// Limit of one call to Upstox.
    pub verification_timeout: Duration,
    /// When the server checks the stored tokens every day, in addition to every hour of the market.
    pub verification_at: CheckTimes,
    /// How the server is reached.
    pub server: ServerSection,
    /// How programs of this machine reach it.
    pub socket: SocketSection,
    /// The files that hold a token for programs that read one.
    pub files: Vec<TokenFile>,
    /// The format of the server's log.
    pub log_format: LogFormat,
    /// The folder of the browser's short-lived profiles.
    pub browser_profiles: PathBuf,
    /// The folder of the evidence of failed sign-ins.
    pub evidence: PathBuf,
    /// What the operator should know about the settings; it does not stop Vega.
    pub warnings: Vec<String>,
    /// Every setting in force with its source, for showing.
    pub effective: Arc<[EffectiveSetting]>,
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The key as in `vega.toml`: `section.key`; for accounts `account.API.key`.
    pub key: String,
    /// Its value; masked if it is secret.
    pub value: String,
    /// A file, `the environment` or `default`.
    pub source: String,
}

/// The settings of the browser.
#[derive(Debug, Clone)]
pub struct BrowserSection {
    /// No window; only on explicit request.
    pub headless: bool,
    /// The browser to use; found on the path otherwise.
    pub binary: Option<PathBuf>,
    /// The driver to start; found on the path otherwise.
    pub chromedriver: Option<PathBuf>,
    /// A WebDriver that already runs, instead of starting one.
    pub webdriver_url: Option<Url>,
}

impl Settings {
    /// The shown value of a setting in force, by its key.
    pub fn shown(&self, key: &str) -> Option<&str> {
        let mut effective = self.effective.iter();
        effective
            .find(|setting| setting.key == key)
            .map(|setting| setting.value.as_str())
    }

    /// Uses `route` for every account, whatever files and environment say.
    pub fn take_route(&mut self, route: Route) {
        self.accounts = self
            .accounts
            .iter()
            .cloned()
            .map(|account| Account { route, ..account })
            .collect();
    }

    /// Reads all settings except the accounts.
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let default_database = sources.places.data_dir.join("vega_trade.db");
        let database_url = sources
            .setting("database.url", values::database_url)?
            .unwrap_or_else(|| format!("sqlite://{}", default_database.display()));
        let password_file = sources.setting("database.password_file", values::path)?;
        let database_place = DatabasePlace {
            ca: sources.setting("database.ca", values::path)?,
            folder: sources.places.data_dir.clone(),
            ..DatabasePlace::from(&database_url)
        };
        let database_place = match &password_file {
            Some(file) => database_place.with_password(database_password(sources, file)?),
            None => database_place,
        };
        // Named after the database, so that two installations never share browser profiles or evidence.
        let database = database_place.local_file().unwrap_or(default_database);
        Ok(Self {
            api_base_url: sources
                .setting("upstox.api_base_url", values::api_base_url)?
                .unwrap_or_else(upstox),
            proxy: None,
            database_url,
            database_place,
            password_file,
            browser_profiles: database.with_extension("browser-profiles"),
            evidence: database.with_extension("evidence"),
            key_source: key_source(sources)?,
            browser: BrowserSection {
                headless: sources
                    .setting("browser.headless", values::yes_or_no)?
                    .unwrap_or(false),
                binary: sources.setting("browser.binary", values::path)?,
                chromedriver: sources.setting("browser.chromedriver", values::path)?,
                webdriver_url: sources.setting("browser.webdriver_url", values::webdriver_url)?,
            },
            route: sources
                .setting("sign_in.route", values::route)?
                .unwrap_or_default(),
            open_links: false,
            otp_budget: OtpBudget {
                presses: sources.setting("sign_in.otp_budget", values::count)?.unwrap_or(4),
                window: sources
                    .setting("sign_in.otp_window", values::duration)?
                    .unwrap_or(Duration::from_mins(11)),
            },
            cooldown: sources
                .setting("sign_in.cooldown", values::duration)?
                .unwrap_or(Duration::from_mins(11)),
            human_timeout: sources
                .setting("sign_in.human_timeout", values::duration)?
                .unwrap_or(Duration::from_mins(5)),
            verification_parallel: sources
                .setting("verification.parallel", values::count)?
                .unwrap_or(6),
            verification_timeout: sources
                .setting("verification.timeout", values::duration)?
                .unwrap_or(Duration::from_secs(10)),
            verification_at: sources
                .setting("verification.at", values::check_times)?
                .unwrap_or_default(),
            server: ServerSection::read(sources)?,
            socket: SocketSection::read(sources)?,
            log_format: sources
                .setting("server.log_format", values::log_format)?
                .unwrap_or_default(),
            files: Vec::new(),
            accounts: Vec::new().into(),
            warnings: Vec::new(),
            effective: Arc::default(),
        })
    }
}

/// The key of the setting, otherwise the service manager's credential, otherwise the file of the config directory.
fn key_source(sources: &Sources) -> Result<KeySource, SettingsError> {
    let folder = sources.places.config_dir.clone();
    Ok(
        match (sources.setting("key_file", values::path)?, &sources.credential) {
            (Some(path), _) => KeySource::File(path),
            (None, Some(key)) => KeySource::Credential {
                key: key.clone(),
                folder,
            },
            (None, None) => KeySource::File(folder.join(KEY_FILE)),
        },
    )
}

/// The password in this file.
fn database_password(sources: &Sources, file: &Path) -> Result<String, SettingsError> {
    const KEY: &str = "database.password_file";
    let text = secret_file(KEY, &sources.origin(KEY), &file.to_string_lossy())?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn upstox() -> Url {
    Url::parse("https://api.upstox.com").unwrap_or_else(|_| unreachable!("a constant URL"))
}
