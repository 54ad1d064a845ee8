//! Where settings come from: `.env` of the working directory or the config directory, `vega.toml`, the environment;
//! later wins. Reads and merges text; what it means is decided in `settings` and `accounts`.

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
    /// `UPSTOX_*` and `VEGA__*`, from `.env` and the environment.
    variables: BTreeMap<String, Variable>,
    /// `vega.toml`, if there is one.
    pub(crate) toml: Option<PathBuf>,
    pub(crate) config_dir: PathBuf,
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) value: String,
    /// Where it came from, for messages.
    pub(crate) origin: String,
}

impl Sources {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let dirs = ProjectDirs::from("", "", "vega").ok_or(SettingsError::NoHome)?;
        let config_dir = dirs.config_dir().to_owned();
        let mut variables = BTreeMap::new();
        let env_file = first_file(environment.working_dir(), &config_dir, ".env");
        if let Some(path) = env_file {
            read_env_file(&path, &mut variables)?;
        }
        for (name, value) in environment.text_with_prefix(PREFIXES) {
            variables.insert(
                name,
                Variable {
                    value,
                    origin: "the environment".into(),
                },
            );
        }
        // An empty value is the same as none: `.env.example` is full of them.
        variables.retain(|_, variable| !variable.value.trim().is_empty());
        Ok(Self {
            variables,
            toml: first_file(environment.working_dir(), &config_dir, "vega.toml"),
            data_dir: dirs.data_dir().to_owned(),
            config_dir,
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name)
    }

    /// The names that start with `prefix`.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.variables
            .keys()
            .map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// The `VEGA__*` variables as the configuration library takes them.
    pub(crate) fn vega_variables(&self) -> config::Map<String, String> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with("VEGA__"))
            .map(|(name, variable)| (name.clone(), variable.value.clone()))
            .collect()
    }

    /// A secret: the variable itself, or the content of the file that `…_FILE` names.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<String>, SettingsError> {
        if let Some(variable) = self.get(name) {
            return Ok(Some(variable.value.trim().to_owned()));
        }
        let file_name = format!("{name}_FILE");
        let Some(variable) = self.get(&file_name) else {
            return Ok(None);
        };
        let path = PathBuf::from(variable.value.trim());
        let text = std::fs::read_to_string(&path).map_err(|source| SettingsError::SecretFile {
            name: file_name,
            path,
            source,
        })?;
        Ok(Some(text.trim().to_owned()))
    }
}

fn first_file(working_dir: &Path, config_dir: &Path, name: &str) -> Option<PathBuf> {
    [working_dir, config_dir]
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads `.env` without touching the environment of this process.
fn read_env_file(path: &Path, variables: &mut BTreeMap<String, Variable>) -> Result<(), SettingsError> {
    let bad = |source| SettingsError::EnvFile {
        path: path.to_owned(),
        source,
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
