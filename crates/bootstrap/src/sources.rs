//! Where settings come from: `.env` of the config directory and of the working directory, `vega.toml` of both, the
//! environment; later wins, and an empty value is none. Reads text and knows where it stands; what it means is decided
//! in `settings` and `accounts`. Nothing here may be printed: it holds secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::Config;
use directories::ProjectDirs;

use crate::environment::Environment;
use crate::known_keys;
use crate::layers::{self, Given, Layer};
use crate::settings_error::SettingsError;
use crate::toml_file::{Item, TomlFile};
use crate::values::{self, Read};

/// Prefixes of the variables that are Vega's.
const PREFIXES: &[&str] = &["UPSTOX_", "VEGA__"];

/// What the files and the environment say.
pub(crate) struct Sources {
    from_files: BTreeMap<String, Variable>,
    from_environment: BTreeMap<String, Variable>,
    /// Every `vega.toml` there is; later wins.
    toml: Vec<TomlFile>,
    /// All but accounts, by key.
    merged: Config,
    /// Every `.env` that was read.
    pub(crate) env_files: Vec<PathBuf>,
    pub(crate) config_dir: PathBuf,
    pub(crate) data_dir: PathBuf,
    working_dir: PathBuf,
}

pub(crate) struct Variable {
    pub(crate) value: String,
    /// Where it came from, for messages.
    pub(crate) origin: String,
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
            from_environment.insert(name, Variable::new(&value, "the environment"));
        }
        // An empty value is the same as none: `.env.example` is full of them.
        for variables in [&mut from_files, &mut from_environment] {
            variables.retain(|_, variable| !variable.value.is_empty());
        }
        let mut toml = Vec::new();
        for path in files(&folders, "vega.toml") {
            let file = TomlFile::read(&path)?;
            known_keys::refuse_unknown_entry(&file)?;
            toml.push(file);
        }
        // `.env` under `vega.toml` under the environment.
        let layers = [layer_of_variables(&from_files)]
            .into_iter()
            .chain(toml.iter().map(layer_of_file))
            .chain([layer_of_variables(&from_environment)]);
        let merged = layers::merge(layers).map_err(|error| SettingsError::Merge(error.to_string()))?;
        Ok(Self {
            from_files,
            from_environment,
            toml,
            merged,
            env_files,
            data_dir: dirs.data_dir().to_owned(),
            config_dir,
            working_dir: environment.working_dir().to_owned(),
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.from_environment
            .get(name)
            .or_else(|| self.from_files.get(name))
    }

    /// One of the known keys, read by `read`; none where nothing sets it.
    pub(crate) fn setting<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Read<T>,
    ) -> Result<Option<T>, SettingsError> {
        debug_assert!(known_keys::KEYS.contains(&key), "{key} would be refused in files");
        let Some(given) = self.given(key) else {
            return Ok(None);
        };
        let Some(text) = given.text else {
            return Err(SettingsError::WrongShape {
                name: given.name,
                place: given.place,
                found: given.instead.unwrap_or_default(),
                wanted: "one value: text in \"quotes\", a whole number, or true or false".into(),
            });
        };
        match read(&text) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => Err(SettingsError::WrongValue {
                name: given.name,
                place: given.place,
                value: values::without_password(&text),
                problem,
            }),
        }
    }

    /// Where a known key comes from: a file, the environment or the defaults.
    pub(crate) fn origin(&self, key: &str) -> String {
        self.given(key)
            .map_or_else(|| "default".to_owned(), |given| given.origin)
    }

    /// The last of the files that names accounts: it is the one whose list counts.
    pub(crate) fn file_with_accounts(&self) -> Option<&TomlFile> {
        let names_accounts = |file: &&TomlFile| file.root.get(known_keys::ACCOUNTS).is_some();
        self.toml.iter().rev().find(names_accounts)
    }

    /// The names that start with `prefix`.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.from_files.keys().chain(self.from_environment.keys());
        all.map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// What the operator should know about `UPSTOX_*` keys that Vega does not read; none of them stops it.
    pub(crate) fn unread_keys(&self) -> impl Iterator<Item = String> {
        const SINGLE: [&str; 3] = ["UPSTOX_MOBILE_NUMBER", "UPSTOX_REDIRECT_URI", "UPSTOX_USER_ID"];
        const NUMBERED: [&str; 3] = ["UPSTOX_API_NAME_", "UPSTOX_CLIENT_ID_", "UPSTOX_CLIENT_SECRET_"];
        let is_read =
            |name: &str| SINGLE.contains(&name) || NUMBERED.iter().any(|prefix| name.starts_with(prefix));
        let all = self.from_files.iter().chain(&self.from_environment);
        all.filter(move |(name, _)| name.starts_with("UPSTOX_") && !is_read(name))
            .map(|(name, variable)| {
                let why = if ["PIN", "OTP"].iter().any(|word| name.contains(word)) {
                    "Vega never types a PIN or makes an OTP"
                } else {
                    "Vega has no such key"
                };
                format!("{name} in {} is not read: {why}", variable.origin)
            })
    }

    /// A secret: the variable itself, or the content of the file that `…_FILE` names; the environment before the files.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, SettingsError> {
        let file_name = format!("{name}_FILE");
        for variables in [&self.from_environment, &self.from_files] {
            if let Some(variable) = variables.get(name) {
                return Ok(Some(variable.value.clone()));
            }
            if let Some(variable) = variables.get(&file_name) {
                return self
                    .secret_file(&file_name, &variable.origin, &variable.value)
                    .map(Some);
            }
        }
        Ok(None)
    }

    /// The secret in the file that the key `name` names; a relative path counts from the working directory.
    pub(crate) fn secret_file(&self, name: &str, place: &str, path: &str) -> Result<String, SettingsError> {
        let path = self.working_dir.join(path);
        let problem = match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => "is empty".to_owned(),
            Ok(text) => return Ok(text.trim().to_owned()),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(SettingsError::SecretFile {
            name: name.to_owned(),
            place: place.to_owned(),
            path,
            problem,
        })
    }

    fn given(&self, key: &str) -> Option<Given> {
        self.merged.get(key).ok()
    }
}

impl Variable {
    fn new(value: &str, origin: &str) -> Self {
        Self {
            value: value.trim().to_owned(),
            origin: origin.to_owned(),
        }
    }

    fn given(&self, name: String) -> Given {
        Given {
            name,
            place: self.origin.clone(),
            origin: self.origin.clone(),
            text: Some(self.value.clone()),
            instead: None,
        }
    }
}

/// What variables say about the known keys.
fn layer_of_variables(variables: &BTreeMap<String, Variable>) -> Layer {
    Layer::new(known_keys::KEYS.iter().filter_map(|key| {
        let name = known_keys::variable(key);
        let variable = variables.get(&name)?;
        Some((*key, variable.given(name)))
    }))
}

/// What a file says about them. What is empty is not said.
fn layer_of_file(file: &TomlFile) -> Layer {
    Layer::new(known_keys::KEYS.iter().filter_map(|key| {
        let entry = file.entry(key)?;
        let (text, instead) = match &entry.item {
            Item::One(text) if text.trim().is_empty() => return None,
            Item::One(text) => (Some(text.trim().to_owned()), None),
            other => (None, Some(other.kind().to_owned())),
        };
        let given = Given {
            name: (*key).to_owned(),
            place: file.line(entry.line),
            origin: file.path.display().to_string(),
            text,
            instead,
        };
        Some((*key, given))
    }))
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
    let bad = |error: dotenvy::Error| SettingsError::File {
        path: path.to_owned(),
        // The library's own words quote the line, which may hold a secret.
        problem: match error {
            dotenvy::Error::LineParse(line, _) => bad_line(path, &line),
            dotenvy::Error::Io(error) => {
                format!("{error}. See to it that it is text and that you may read it")
            }
            _ => "it is not a file of NAME=value lines".into(),
        },
    };
    let origin = path.display().to_string();
    for entry in dotenvy::from_path_iter(path).map_err(bad)? {
        let (name, value) = entry.map_err(bad)?;
        known_keys::refuse_unknown_variable(&name, &origin)?;
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            variables.insert(name, Variable::new(&value, &origin));
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
