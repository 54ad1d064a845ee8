//! Where settings come from: `.env` of the config directory and of the working directory, `vega.toml` of both, the
//! environment; later wins. Reads and merges text; what it means is decided in `settings` and `accounts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::environment::Environment;
use crate::settings::SettingsError;

/// Prefixes of the variables that are Vega's.
const PREFIXES: &[&str] = &["UPSTOX_", "VEGA__"];

/// What the files and the environment say.
#[derive(Debug)]
pub(crate) struct Sources {
    from_files: BTreeMap<String, Variable>,
    from_environment: BTreeMap<String, Variable>,
    /// Every `vega.toml` there is; later wins.
    pub(crate) toml: Vec<PathBuf>,
    /// Every `.env` that was read.
    pub(crate) env_files: Vec<PathBuf>,
    pub(crate) config_dir: PathBuf,
    pub(crate) data_dir: PathBuf,
}

#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) value: String,
    /// Where it came from, for messages.
    pub(crate) origin: String,
}

impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a secret.
        write!(f, "Variable([redacted] from {})", self.origin)
    }
}

impl Sources {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let dirs = ProjectDirs::from("", "", "vega").ok_or(SettingsError::NoHome)?;
        let config_dir = dirs.config_dir().to_owned();
        let folders = [&*config_dir, environment.working_dir()];
        let env_files = files(&folders, ".env");
        let mut from_files = BTreeMap::new();
        for path in &env_files {
            read_env_file(path, &mut from_files)?;
        }
        let mut from_environment = BTreeMap::new();
        for (name, value) in environment.text_with_prefix(PREFIXES) {
            from_environment.insert(
                name,
                Variable {
                    value,
                    origin: "the environment".into(),
                },
            );
        }
        // An empty value is the same as none: `.env.example` is full of them.
        for variables in [&mut from_files, &mut from_environment] {
            variables.retain(|_, variable| !variable.value.trim().is_empty());
        }
        Ok(Self {
            from_files,
            from_environment,
            toml: files(&folders, "vega.toml"),
            env_files,
            data_dir: dirs.data_dir().to_owned(),
            config_dir,
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.from_environment
            .get(name)
            .or_else(|| self.from_files.get(name))
    }

    /// A variable of the environment alone.
    pub(crate) fn in_environment(&self, name: &str) -> Option<&Variable> {
        self.from_environment.get(name)
    }

    /// Names of the original's keys that Vega does not read; it never types a PIN or makes a TOTP.
    pub(crate) fn unread_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        const SINGLE: [&str; 3] = ["UPSTOX_MOBILE_NUMBER", "UPSTOX_REDIRECT_URI", "UPSTOX_USER_ID"];
        const NUMBERED: [&str; 3] = ["UPSTOX_API_NAME_", "UPSTOX_CLIENT_ID_", "UPSTOX_CLIENT_SECRET_"];
        let is_read =
            |name: &str| SINGLE.contains(&name) || NUMBERED.iter().any(|prefix| name.starts_with(prefix));
        let all = self.from_files.iter().chain(&self.from_environment);
        all.filter(move |(name, _)| name.starts_with("UPSTOX_") && !is_read(name))
            .map(|(name, variable)| (name.as_str(), variable.origin.as_str()))
    }

    /// The names that start with `prefix`.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.from_files.keys().chain(self.from_environment.keys());
        all.map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// The `VEGA__*` variables of `.env`, as the configuration library takes them.
    pub(crate) fn vega_variables_of_files(&self) -> config::Map<String, String> {
        vega_variables(&self.from_files)
    }

    /// The `VEGA__*` variables of the environment.
    pub(crate) fn vega_variables_of_environment(&self) -> config::Map<String, String> {
        vega_variables(&self.from_environment)
    }

    /// A secret: the variable itself, or the content of the file that `…_FILE` names; the environment before the files.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, SettingsError> {
        let file_name = format!("{name}_FILE");
        for variables in [&self.from_environment, &self.from_files] {
            if let Some(variable) = variables.get(name) {
                return Ok(Some(variable.value.trim().to_owned()));
            }
            if let Some(variable) = variables.get(&file_name) {
                return read_secret_file(&file_name, PathBuf::from(variable.value.trim())).map(Some);
            }
        }
        Ok(None)
    }
}

/// The secret in the file that the key `name` names.
pub(crate) fn read_secret_file(name: &str, path: PathBuf) -> Result<String, SettingsError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(SettingsError::SecretFile {
            name: name.to_owned(),
            path,
            source,
        }),
    }
}

fn vega_variables(variables: &BTreeMap<String, Variable>) -> config::Map<String, String> {
    let ours = variables.iter().filter(|(name, _)| name.starts_with("VEGA__"));
    ours.map(|(name, variable)| (name.clone(), variable.value.clone()))
        .collect()
}

/// The files of this name that are there, once each.
fn files(folders: &[&Path], name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders
        .iter()
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file())
        .collect();
    found.dedup();
    found
}

/// Reads `.env` without touching the environment of this process.
fn read_env_file(path: &Path, variables: &mut BTreeMap<String, Variable>) -> Result<(), SettingsError> {
    let bad = |error: dotenvy::Error| SettingsError::EnvFile {
        path: path.to_owned(),
        // The library's own words quote the line, which may hold a secret.
        problem: match error {
            dotenvy::Error::LineParse(line, _) => bad_line(path, &line),
            dotenvy::Error::Io(error) => error.to_string(),
            _ => "it is not a file of NAME=value lines".into(),
        },
    };
    for entry in dotenvy::from_path_iter(path).map_err(bad)? {
        let (name, value) = entry.map_err(bad)?;
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            variables.insert(
                name,
                Variable {
                    value,
                    origin: path.display().to_string(),
                },
            );
        }
    }
    Ok(())
}

fn bad_line(path: &Path, line: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let number = text
        .lines()
        .position(|candidate| !line.is_empty() && candidate.contains(line));
    let place = number.map_or("a line".into(), |index| format!("line {}", index + 1));
    format!("{place} is not NAME=value. Put a value that holds spaces, quotes, # or $ in 'single quotes'")
}
