//! The sources of settings: `.env` and `vega.toml` in the places that `places` finds, and the environment. Later
//! sources take precedence, and an empty value counts as none. Reads text with its place; `settings` and `accounts`
//! decide what it means. Nothing here may be printed, because it holds secrets.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use config::Config;
use vega_domain::reading::tidied;
use vega_persistence::{Place, read_text, refuse_if_others_may_change};

use crate::settings::env_file::{self, Variable};
use crate::settings::environment::Environment;
use crate::settings::known_keys;
use crate::settings::layers::{self, Given, Layer};
use crate::settings::places::Places;
use crate::settings::settings_error::SettingsError;
use crate::settings::toml_file::{Item, TomlFile};
use crate::settings::values::{self, Read};

/// Prefixes of Vega's variables.
const PREFIXES: &[&str] = &["UPSTOX_", "VEGA__"];

const SECRET: &str = "UPSTOX_CLIENT_SECRET_";

/// The greatest length of a client secret's file; a secret is one word.
const LONGEST_SECRET: usize = 4096;

/// The name of the root key's file, in the config directory and among systemd's credentials.
pub(crate) const KEY_FILE: &str = "vega.key";

/// The contents of the files and the environment.
pub(crate) struct Sources {
    from_files: BTreeMap<String, Variable>,
    from_environment: BTreeMap<String, Variable>,
    toml: Option<TomlFile>,
    /// All settings except accounts, by key.
    merged: Config,
    pub(crate) places: Places,
    /// The root key, if systemd provided one.
    pub(crate) credential: Option<PathBuf>,
}

impl Sources {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let places = Places::of(environment)?;
        let mut from_files = BTreeMap::new();
        for path in &places.env_files {
            let variables = env_file::read(path)?;
            refuse_two_secrets(&variables)?;
            // A later file's secret replaces the earlier one's, in whichever way each gives it.
            from_files
                .retain(|name: &String, _| other_way(name).is_none_or(|way| !variables.contains_key(&way)));
            from_files.extend(variables);
        }
        let from_environment = from_environment(environment)?;
        refuse_two_secrets(&from_environment)?;
        let toml = places.toml.as_deref().map(TomlFile::read).transpose()?;
        if let Some(file) = &toml {
            known_keys::refuse_unknown_entry(file)?;
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
            credential: credential(environment),
            places,
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.from_environment
            .get(name)
            .or_else(|| self.from_files.get(name))
    }

    /// One of the known keys, parsed by `read`; `None` if nothing sets it.
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

    /// The source of a known key: a file, the environment or the defaults.
    pub(crate) fn origin(&self, key: &str) -> String {
        self.given(key)
            .map_or_else(|| "default".to_owned(), |given| given.origin)
    }

    /// `vega.toml`.
    pub(crate) fn toml(&self) -> Option<&TomlFile> {
        self.toml.as_ref()
    }

    /// `vega.toml`, if it names accounts.
    pub(crate) fn file_with_accounts(&self) -> Option<&TomlFile> {
        let names_accounts = |file: &&TomlFile| file.root.get(known_keys::ACCOUNTS).is_some();
        self.toml.as_ref().filter(names_accounts)
    }

    /// The names that start with `prefix`.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.from_files.keys().chain(self.from_environment.keys());
        all.map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// What the operator should know; it does not stop Vega.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.unread_keys().chain(self.open_files()).collect()
    }

    /// `UPSTOX_*` keys that Vega does not read.
    fn unread_keys(&self) -> impl Iterator<Item = String> {
        let all = self.from_files.iter().chain(&self.from_environment);
        all.filter(|(name, _)| known_keys::is_upstox(name) && !known_keys::is_read(name))
            .map(|(name, variable)| {
                let why = if ["PIN", "OTP"]
                    .iter()
                    .any(|word| name.to_uppercase().contains(word))
                {
                    "Vega never types a PIN or makes an OTP"
                } else {
                    "Vega has no such key"
                };
                format!("{name} in {} is not read: {why}", variable.origin)
            })
    }

    /// Files that hold secrets and that others can read.
    fn open_files(&self) -> impl Iterator<Item = String> {
        let env_files = self.places.env_files.iter().filter(|path| {
            let origin = path.display().to_string();
            self.from_files
                .iter()
                .any(|(name, variable)| variable.origin == origin && known_keys::is_secret(name))
        });
        let toml = self.toml.iter().filter(|file| file.holds("client_secret"));
        env_files.chain(toml.map(|file| &file.path)).filter_map(|path| {
            let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
            (mode & 0o077 != 0).then(|| {
                format!(
                    "{0} holds secrets and is open to other users (mode {mode:o}). Close it with: chmod 600 '{0}'",
                    path.display()
                )
            })
        })
    }

    /// A secret with its place: the variable itself, or the content of the file that `…_FILE` names. The environment
    /// takes precedence over the files.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<(String, String)>, SettingsError> {
        let file_name = format!("{name}_FILE");
        for variables in [&self.from_environment, &self.from_files] {
            if let Some(variable) = variables.get(name) {
                return Ok(Some((variable.value.clone(), variable.called(name))));
            }
            if let Some(variable) = variables.get(&file_name) {
                let secret = secret_file(&file_name, &variable.place, &variable.value)?;
                let place = file_named_by(&variable.value, &variable.called(&file_name));
                return Ok(Some((secret, place)));
            }
        }
        Ok(None)
    }

    fn given(&self, key: &str) -> Option<Given> {
        self.merged.get(key).ok()
    }
}

/// Vega's variables of the environment. An empty value is the same as none.
fn from_environment(environment: &Environment) -> Result<BTreeMap<String, Variable>, SettingsError> {
    const ORIGIN: &str = "the environment";
    let mut variables = BTreeMap::new();
    for (name, value) in environment.with_prefix(PREFIXES) {
        let Some(value) = value.to_str() else {
            if !known_keys::is_setting(&name) {
                continue;
            }
            return Err(SettingsError::WrongShape {
                name,
                place: ORIGIN.into(),
                found: "no UTF-8 text".into(),
                wanted: "it as UTF-8".into(),
            });
        };
        let variable = Variable::new(value, ORIGIN, None);
        if !variable.value.is_empty() {
            variables.insert(name, variable);
        }
    }
    Ok(variables)
}

/// The known keys in these variables.
fn layer_of_variables(variables: &BTreeMap<String, Variable>) -> Layer {
    Layer::new(known_keys::KEYS.iter().filter_map(|key| {
        let name = known_keys::variable(key);
        let variable = variables.get(&name)?;
        Some((*key, variable.given(name)))
    }))
}

/// The known keys in a file. Empty values are skipped.
fn layer_of_file(file: &TomlFile) -> Layer {
    Layer::new(known_keys::KEYS.iter().filter_map(|key| {
        let entry = file.entry(key)?;
        let (text, instead) = match &entry.item {
            Item::One(text) => match tidied(text) {
                text if text.is_empty() => return None,
                text => (Some(text), None),
            },
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

/// The root key in the folder of a service's credentials, which systemd names. The folder may hold credentials of
/// others too.
fn credential(environment: &Environment) -> Option<PathBuf> {
    let folder = Path::new(environment.get("CREDENTIALS_DIRECTORY")?);
    let key = folder.join(KEY_FILE);
    (folder.is_absolute() && key.symlink_metadata().is_ok()).then_some(key)
}

/// The secret in the file that the key `name` names.
pub(crate) fn secret_file(name: &str, place: &str, path: &str) -> Result<String, SettingsError> {
    // Not quoted: what is no path may be the secret itself.
    if values::path(path).is_err() {
        return Err(SettingsError::WrongShape {
            name: name.to_owned(),
            place: place.to_owned(),
            found: "not a full path".into(),
            wanted: "the path of the secret's file from the root on, such as /run/secrets/primary".into(),
        });
    }
    refuse_if_others_may_change(Path::new(path), Place::File)?;
    let problem = match read_text(Path::new(path), LONGEST_SECRET) {
        Ok(text) if tidied(&text).is_empty() => "is empty. Put the secret there".to_owned(),
        Ok(text) => return Ok(text.as_str().to_owned()),
        Err(problem) => problem.to_string(),
    };
    Err(SettingsError::SecretFile {
        name: name.to_owned(),
        place: place.to_owned(),
        path: path.into(),
        problem,
    })
}

/// The place of a secret that is in the file of this path.
pub(crate) fn file_named_by(path: &str, called: &str) -> String {
    format!("{called} (the file {path})")
}

/// The name of the other way in which a source can give the same secret.
fn other_way(name: &str) -> Option<String> {
    name.starts_with(SECRET).then(|| {
        name.strip_suffix("_FILE")
            .map_or_else(|| format!("{name}_FILE"), str::to_owned)
    })
}

/// Refuses a source that gives a secret in both ways.
fn refuse_two_secrets(variables: &BTreeMap<String, Variable>) -> Result<(), SettingsError> {
    for (name, first) in variables {
        if let Some(way) = other_way(name)
            && let Some(second) = variables.get(&way)
        {
            return Err(SettingsError::Both {
                first: format!("{name} in {}", first.place),
                second: format!("{way} in {}", second.place),
            });
        }
    }
    Ok(())
}
