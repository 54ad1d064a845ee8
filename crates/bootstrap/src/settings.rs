//! The settings of both programs: what can be set, the defaults, and what is refused. Every refusal says what is wrong,
//! where, and what to do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;
use url::Url;
use vega_domain::account::Account;
use vega_domain::ids::InvalidValue;
use vega_domain::sign_in::OtpBudget;

use crate::accounts::{self, AccountSection};
use crate::effective::{EffectiveSetting, effective};
use crate::environment::Environment;
use crate::sources::Sources;

/// Why Vega cannot start with these settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no home directory to keep anything in.
    #[error("there is no home directory. Set HOME, or XDG_CONFIG_HOME and XDG_DATA_HOME")]
    NoHome,
    /// Nothing is configured yet.
    #[error(
        "no Upstox app is configured{}. Copy .env.example to {}/.env and fill in UPSTOX_MOBILE_NUMBER, \
         UPSTOX_CLIENT_ID_0 and UPSTOX_CLIENT_SECRET_0", read_in_vain(.env_files), .config_dir.display()
    )]
    NothingConfigured {
        /// Where the file belongs.
        config_dir: PathBuf,
        /// The files that were read and name none.
        env_files: Vec<PathBuf>,
    },
    /// A key is missing that another one needs.
    #[error(
        "{name} is not set, but {needed_by}. Set it where the others are: .env, vega.toml or the environment"
    )]
    Missing {
        /// The missing key.
        name: String,
        /// Why it is needed.
        needed_by: String,
    },
    /// A value is not what its key takes.
    #[error("{name} in {origin}: {problem}")]
    Value {
        /// The key.
        name: String,
        /// The file, or the environment.
        origin: String,
        /// What is wrong.
        problem: InvalidValue,
    },
    /// Two APIs share what must be unique.
    #[error("{first} and {second} are the same: {value}. {rule}")]
    Twice {
        /// The one key.
        first: String,
        /// The other key.
        second: String,
        /// What they share.
        value: String,
        /// Why that cannot be.
        rule: &'static str,
    },
    /// A `…_FILE` cannot be read.
    #[error("{name} names {path}, which cannot be read: {source}")]
    SecretFile {
        /// The key.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `.env` cannot be read.
    #[error("{path} cannot be read: {problem}")]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the words of the file.
        problem: String,
    },
    /// `vega.toml` or a `VEGA__*` variable holds something else than its key takes.
    #[error("a setting is wrong: {0}")]
    Sections(String),
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The accounts with their APIs.
    pub accounts: Arc<[Account]>,
    /// Upstox's API.
    pub api_base_url: Url,
    /// `sqlite://PATH`.
    pub database_url: String,
    /// The root key.
    pub key_file: PathBuf,
    /// The browser.
    pub browser: BrowserSection,
    /// OTP presses per mobile number and window.
    pub otp_budget: OtpBudget,
    /// Longest wait for a human at one screen.
    pub human_timeout: Duration,
    /// Profile calls at once.
    pub verification_parallel: usize,
    /// Limit of one call to Upstox.
    pub verification_timeout: Duration,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The folder of the browser's short-lived profiles.
    pub browser_profiles: PathBuf,
    /// What the operator should know about the settings; nothing that stops Vega.
    pub warnings: Vec<String>,
    /// Every setting in force with where it came from, for showing.
    pub effective: Vec<EffectiveSetting>,
}

impl Settings {
    /// Reads files and environment.
    pub fn load(environment: &Environment) -> Result<Self, SettingsError> {
        let sources = Sources::read(environment)?;
        let mut builder = config::Config::builder().add_source(variables(sources.vega_variables_of_files()));
        for path in &sources.toml {
            builder = builder.add_source(toml_file(path));
        }
        let sections: Sections = builder
            .add_source(variables(sources.vega_variables_of_environment()))
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| SettingsError::Sections(without_secrets(&error)))?;
        let accounts = accounts::read(&sources, sections.accounts, file_with_accounts(&sources.toml))?;
        let default_database = sources.data_dir.join("vega_trade.db");
        let database_url = sections
            .database
            .url
            .unwrap_or_else(|| format!("sqlite://{}", default_database.display()));
        // Named after the database, so that two installations never share browser profiles.
        let database = database_url
            .strip_prefix("sqlite://")
            .map_or(default_database, PathBuf::from);
        let browser_profiles = database.with_extension("browser-profiles");
        let warnings = sources
            .unread_keys()
            .map(|(name, origin)| {
                format!("{name} in {origin} is not read: Vega never types a PIN or makes an OTP")
            })
            .collect();
        let mut settings = Self {
            accounts: accounts
                .iter()
                .map(|configured| configured.account.clone())
                .collect(),
            api_base_url: sections.upstox.api_base_url,
            database_url,
            key_file: sections
                .key_file
                .unwrap_or_else(|| sources.config_dir.join("vega.key")),
            browser: sections.browser,
            otp_budget: OtpBudget {
                presses: sections.sign_in.otp_budget,
                window: sections.sign_in.otp_window,
            },
            human_timeout: sections.sign_in.human_timeout,
            verification_parallel: sections.verification.parallel,
            verification_timeout: sections.verification.timeout,
            listen: sections.server.listen,
            browser_profiles,
            warnings,
            effective: Vec::new(),
        };
        settings.effective = effective(&settings, &accounts, &sources);
        Ok(settings)
    }
}

fn variables(source: config::Map<String, String>) -> config::Environment {
    config::Environment::with_prefix("VEGA")
        .prefix_separator("__")
        .separator("__")
        .source(Some(source))
}

/// The library's words, but for those that quote what may be a secret.
fn without_secrets(error: &config::ConfigError) -> String {
    let words = error.to_string();
    if let config::ConfigError::FileParse { uri, .. } = error {
        let place = words
            .split_once(" at ")
            .and_then(|(_, after)| after.lines().next())
            .unwrap_or("some line");
        return format!(
            "{} is not TOML, at {place}",
            uri.as_deref().unwrap_or("vega.toml")
        );
    }
    if words.contains("secret") {
        "a secret in vega.toml is not text in \"quotes\"".into()
    } else {
        words
    }
}

/// The last of the files that names accounts: it is the one whose list counts.
fn file_with_accounts(files: &[PathBuf]) -> Option<&Path> {
    let names_accounts = |path: &&PathBuf| {
        let alone = config::Config::builder().add_source(toml_file(path)).build();
        alone.is_ok_and(|file| file.get_array("accounts").is_ok())
    };
    files.iter().rev().find(names_accounts).map(PathBuf::as_path)
}

pub(crate) fn toml_file(path: &Path) -> config::File<config::FileSourceFile, config::FileFormat> {
    config::File::from(path).format(config::FileFormat::Toml)
}

fn read_in_vain(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" in {}", names.join(" or "))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sections {
    accounts: Vec<AccountSection>,
    upstox: UpstoxSection,
    database: DatabaseSection,
    key_file: Option<PathBuf>,
    browser: BrowserSection,
    sign_in: SignInSection,
    verification: VerificationSection,
    server: ServerSection,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UpstoxSection {
    api_base_url: Url,
}

impl Default for UpstoxSection {
    fn default() -> Self {
        let url = Url::parse("https://api.upstox.com").unwrap_or_else(|_| unreachable!("a constant URL"));
        Self { api_base_url: url }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DatabaseSection {
    url: Option<String>,
}

/// The browser, as it can be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrowserSection {
    /// No window; only on explicit wish.
    pub headless: bool,
    /// The browser to use; found on the path otherwise.
    pub binary: Option<PathBuf>,
    /// The driver to start; found on the path otherwise.
    pub chromedriver: Option<PathBuf>,
    /// A WebDriver that already runs, instead of starting one.
    pub webdriver_url: Option<Url>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SignInSection {
    otp_budget: u32,
    #[serde(deserialize_with = "duration")]
    otp_window: Duration,
    #[serde(deserialize_with = "duration")]
    human_timeout: Duration,
}

impl Default for SignInSection {
    fn default() -> Self {
        Self {
            otp_budget: 4,
            otp_window: Duration::from_mins(11),
            human_timeout: Duration::from_mins(5),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VerificationSection {
    parallel: usize,
    #[serde(deserialize_with = "duration")]
    timeout: Duration,
}

impl Default for VerificationSection {
    fn default() -> Self {
        Self {
            parallel: 6,
            timeout: Duration::from_secs(10),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerSection {
    listen: SocketAddr,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 28020)),
        }
    }
}

/// `11m`, `90s`, `1h 30m`; a day at most, which is as long as anything here can sensibly take.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    const LONGEST: Duration = Duration::from_hours(24);
    let text = String::deserialize(deserializer)?;
    let read = humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!("{text:?} is no duration such as 90s or 11m: {error}")))?;
    if read > LONGEST {
        return Err(de::Error::custom(format!("{text:?} is longer than a day")));
    }
    Ok(read)
}
