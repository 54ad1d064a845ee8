//! Where settings come from: `.env` of the config directory and of the working directory, `vega.toml` of both, the
//! environment; later wins, and an empty value is none. Reads text and knows where it stands; what it means is decided
//! in `settings` and `accounts`. Nothing here may be printed: it holds secrets.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
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

const SECRET: &str = "UPSTOX_CLIENT_SECRET_";

/// What the root key's file is called, in the config directory and among systemd's credentials.
pub(crate) const KEY_FILE: &str = "vega.key";

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
    /// The root key, where systemd handed one in.
    pub(crate) credential: Option<PathBuf>,
}

pub(crate) struct Variable {
    pub(crate) value: String,
    /// Where it came from: a file or the environment.
    pub(crate) origin: String,
    /// The same with the line of the file.
    pub(crate) place: String,
}

impl Sources {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let dirs = ProjectDirs::from("", "", "vega").ok_or(SettingsError::NoHome)?;
        let config_dir = dirs.config_dir().to_owned();
        let folders = [&*config_dir, environment.working_dir()];
        let env_files = files(&folders, ".env")?;
        let mut from_files = BTreeMap::new();
        for path in &env_files {
            let variables = read_env_file(path)?;
            refuse_two_secrets(&variables)?;
            // A later file's secret replaces the earlier one's, in whichever way each gives it.
            from_files
                .retain(|name: &String, _| other_way(name).is_none_or(|way| !variables.contains_key(&way)));
            from_files.extend(variables);
        }
        let mut from_environment = BTreeMap::new();
        for (name, value) in environment.text_with_prefix(PREFIXES) {
            // An empty value is the same as none.
            if !value.trim().is_empty() {
                from_environment.insert(name, Variable::new(&value, "the environment", None));
            }
        }
        refuse_two_secrets(&from_environment)?;
        let mut toml = Vec::new();
        for path in files(&folders, "vega.toml")? {
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
            credential: credential(environment),
            config_dir,
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

    /// What the operator should know; none of it stops Vega.
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

    /// Files that hold secrets and are open to others.
    fn open_files(&self) -> impl Iterator<Item = String> {
        let env_files = self.env_files.iter().filter(|path| {
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

    /// A secret with the place that it came from: the variable itself, or the content of the file that `…_FILE` names;
    /// the environment before the files.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<(String, String)>, SettingsError> {
        let file_name = format!("{name}_FILE");
        for variables in [&self.from_environment, &self.from_files] {
            if let Some(variable) = variables.get(name) {
                return Ok(Some((variable.value.clone(), variable.called(name))));
            }
            if let Some(variable) = variables.get(&file_name) {
                let secret = secret_file(&file_name, &variable.place, &variable.value)?;
                return Ok(Some((secret, variable.called(&file_name))));
            }
        }
        Ok(None)
    }

    fn given(&self, key: &str) -> Option<Given> {
        self.merged.get(key).ok()
    }
}

impl Variable {
    fn new(value: &str, origin: &str, line: Option<usize>) -> Self {
        Self {
            value: value.trim().to_owned(),
            origin: origin.to_owned(),
            place: line.map_or_else(|| origin.to_owned(), |line| format!("{origin} line {line}")),
        }
    }

    /// Its name with where it came from.
    pub(crate) fn called(&self, name: &str) -> String {
        format!("{name} in {}", self.origin)
    }

    fn given(&self, name: String) -> Given {
        Given {
            name,
            place: self.place.clone(),
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

/// systemd names the folder of a service's credentials. It may hold others than Vega's.
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
    let problem = match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => "is empty".to_owned(),
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) => format!("cannot be read: {error}"),
    };
    Err(SettingsError::SecretFile {
        name: name.to_owned(),
        place: place.to_owned(),
        path: path.into(),
        problem,
    })
}

/// The files of this name that are there, once each. What is there but is no file that can be read is refused: left
/// alone, everything in it would silently not be set.
fn files(folders: &[&Path], name: &str) -> Result<Vec<PathBuf>, SettingsError> {
    let mut found = Vec::new();
    for folder in folders {
        let path = folder.join(name);
        let refused = |problem: String| SettingsError::File {
            path: path.clone(),
            problem,
        };
        let problem = match (std::fs::metadata(&path), path.is_symlink()) {
            (Ok(there), _) if there.is_file() => None,
            (Ok(there), _) if there.is_dir() => Some("it is a folder. Move it away".to_owned()),
            (Ok(_), _) => Some("it is no plain file. Move it away".to_owned()),
            (Err(error), false) if error.kind() == ErrorKind::NotFound => continue,
            (Err(error), true) => Some(format!(
                "it is a link that leads nowhere ({error}). Mend it, or remove it"
            )),
            (Err(error), false) => Some(format!("{error}. See to it that you may look into its folder")),
        };
        if let Some(problem) = problem {
            return Err(refused(problem));
        }
        found.push(path);
    }
    found.dedup();
    Ok(found)
}

/// Reads `.env` line by line without touching the environment of this process. A value that is empty is none:
/// `.env.example` is full of them.
fn read_env_file(path: &Path) -> Result<BTreeMap<String, Variable>, SettingsError> {
    let refused = |problem: String| SettingsError::File {
        path: path.to_owned(),
        problem,
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        refused(format!(
            "{error}. See to it that it is text and that you may read it"
        ))
    })?;
    let origin = path.display().to_string();
    let mut variables: BTreeMap<String, Variable> = BTreeMap::new();
    // Each line by itself: a quote that is not closed must not swallow the lines that follow.
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        // The library's own words quote the line, which may hold a secret.
        let bad = |_| refused(format!("line {number} {}", what_is_bad(line)));
        let Some((name, value)) = dotenvy::from_read_iter(format!("{line}\n").as_bytes())
            .next()
            .transpose()
            .map_err(bad)?
        else {
            continue;
        };
        let variable = Variable::new(&value, &origin, Some(number));
        known_keys::refuse_unknown_variable(&name, &variable.place)?;
        if !known_keys::is_ours(&name) {
            continue;
        }
        let problem = match quoting(line) {
            Quoting::Substitutes => "holds a $, which would be taken for the name of another variable",
            Quoting::Open => "ends with a \\, which would be lost",
            Quoting::Whole if value.contains('\n') => "holds a line break, which no setting does",
            Quoting::Whole => "",
        };
        if !problem.is_empty() {
            return Err(refused(format!(
                "{name} in line {number} {problem}. Put the value in 'single quotes'"
            )));
        }
        if variable.value.is_empty() {
            continue;
        }
        if let Some(first) = variables.get(&name) {
            let called = |variable: &Variable| format!("{name} in {}", variable.place);
            return Err(SettingsError::Both {
                first: called(first),
                second: called(&variable),
            });
        }
        variables.insert(name, variable);
    }
    Ok(variables)
}

/// To follow "line 3".
fn what_is_bad(line: &str) -> &'static str {
    match quoting(line) {
        Quoting::Open => {
            "opens a quote and does not close it. A value ends on its line; \
             put one that holds spaces, quotes, # or $ in 'single quotes'"
        }
        _ => "is not NAME=value. Put a value that holds spaces, quotes, # or $ in 'single quotes'",
    }
}

/// How the library reads the value of a line.
enum Quoting {
    Whole,
    /// A quote is not closed, or nothing follows a backslash.
    Open,
    /// With what stands after a `$` put in, from the process or from elsewhere in the file.
    Substitutes,
}

fn quoting(line: &str) -> Quoting {
    let value = line.split_once('=').map_or("", |(_, value)| value).trim();
    let (mut quote, mut escaped) = (None, false);
    if value.starts_with('#') {
        return Quoting::Whole;
    }
    for c in value.chars() {
        match (c, quote) {
            _ if escaped => escaped = false,
            (c, Some('\'')) if c != '\'' => {}
            ('\\', _) => escaped = true,
            ('$', _) => return Quoting::Substitutes,
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            // Only a comment may follow.
            (' ' | '\t', None) => break,
            _ => {}
        }
    }
    if quote.is_some() || escaped {
        Quoting::Open
    } else {
        Quoting::Whole
    }
}

/// The other of the two ways in which a source can give the same secret.
fn other_way(name: &str) -> Option<String> {
    name.starts_with(SECRET).then(|| {
        name.strip_suffix("_FILE")
            .map_or_else(|| format!("{name}_FILE"), str::to_owned)
    })
}

/// Refuses a source that gives a secret both ways.
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
