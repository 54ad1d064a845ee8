//! Finds the files from which settings are read: those of the config directory, and those that the command line or a
//! variable names. Files of the working directory are never read merely because they are there: their author could have
//! tokens sent anywhere.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use vega_domain::visible::on_one_line;
use vega_persistence::{NoText, Place, read_text, refuse_if_others_may_change};

use crate::settings::env_file::name_of;
use crate::settings::environment::Environment;
use crate::settings::known_keys::{self, CONFIG_DIR, ENV_FILE};
use crate::settings::settings_error::SettingsError;
use crate::settings::toml_file::LARGEST;
use crate::settings::values;

const ENV: &str = ".env";
const TOML: &str = "vega.toml";

/// The files and folders of the settings.
pub(crate) struct Places {
    pub(crate) config_dir: PathBuf,
    /// The option or variable that names the config directory; `None` for the usual one.
    pub(crate) config_dir_named_by: Option<&'static str>,
    pub(crate) data_dir: PathBuf,
    /// For what lives as long as the user is signed in to the system, where there is such a folder.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// In the order in which they are read; later ones take precedence.
    pub(crate) env_files: Vec<PathBuf>,
    /// The file among them that was named, with the option or variable that names it.
    pub(crate) named_env_file: Option<(PathBuf, &'static str)>,
    pub(crate) toml: Option<PathBuf>,
}

impl Places {
    pub(crate) fn of(environment: &Environment) -> Result<Self, SettingsError> {
        let dirs = ProjectDirs::from("", "", "vega").ok_or(SettingsError::NoHome)?;
        let named = environment.named();
        let named_dir = place(
            environment,
            named.config_dir.as_deref(),
            "--config-dir",
            CONFIG_DIR,
        )?;
        let named_file = place(environment, named.env_file.as_deref(), "--env-file", ENV_FILE)?;
        let (config_dir, config_dir_named_by) = match named_dir {
            Some((folder, by)) => (is_folder(folder, by)?, Some(by)),
            None => (dirs.config_dir().to_owned(), None),
        };
        let mut env_files: Vec<PathBuf> = there(config_dir.join(ENV))?.into_iter().collect();
        if let Some((path, by)) = &named_file {
            if let Err(error) = path.metadata() {
                return Err(refused(by, path, &NoText::of(path, error)));
            }
            if !env_files.iter().any(|known| is_same(known, path)) {
                env_files.push(path.clone());
            }
        }
        let toml = there(config_dir.join(TOML))?;
        // Whoever may write there says where tokens are sent and which programs are run.
        refuse_if_others_may_change(&config_dir, Place::Folder)?;
        for file in env_files.iter().chain(&toml) {
            refuse_if_others_may_change(file, Place::File)?;
        }
        Ok(Self {
            toml,
            data_dir: dirs.data_dir().to_owned(),
            runtime_dir: dirs.runtime_dir().map(Path::to_owned),
            config_dir,
            config_dir_named_by,
            env_files,
            named_env_file: named_file,
        })
    }

    fn reads(&self, path: &Path) -> bool {
        let mut files = self.env_files.iter().chain(&self.toml);
        files.any(|known| is_same(known, path))
    }
}

/// A file name, and whether a text in a file of that name holds settings of Vega's.
type Kind = (&'static str, fn(&str) -> bool);

/// One line about files of the working directory that hold settings of Vega's and are not read; `None` if there are
/// none, or if they are read because they were named.
pub fn left_alone(environment: &Environment) -> Option<String> {
    let places = Places::of(environment).ok();
    let is_read = |path: &Path| places.as_ref().is_some_and(|places| places.reads(path));
    let here = environment.working_dir();
    let kinds: [Kind; 2] = [(ENV, holds_our_variables), (TOML, holds_our_keys)];
    let left: Vec<&str> = kinds
        .into_iter()
        .filter(|(name, is_ours)| {
            let path = here.join(name);
            // Never waited for, and whatever is wrong with it is its owner's concern.
            let text = path.is_file().then(|| read_text(&path, LARGEST).ok()).flatten();
            text.is_some_and(|text| is_ours(&text)) && !is_read(&path)
        })
        .map(|(name, _)| name)
        .collect();
    let (is, them, option) = match *left {
        [] => return None,
        [ENV] => ("is", "it", "--env-file .env"),
        [_] => ("is", "it", "--config-dir ."),
        _ => ("are", "them", "--config-dir ."),
    };
    let config_dir = places.map(|places| places.config_dir);
    let config_dir = config_dir.map_or_else(
        || "its config directory".to_owned(),
        |path| on_one_line(&path.display().to_string()).into_owned(),
    );
    Some(format!(
        "{} in the working directory {is} left alone: Vega reads {config_dir}. Should it read {them}, say so with {option}",
        left.join(" and ")
    ))
}

fn holds_our_variables(text: &str) -> bool {
    text.lines().filter_map(name_of).any(known_keys::is_ours)
}

fn holds_our_keys(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim().trim_start_matches('[');
        let word = line.split(['.', ']', '=', ' ', '\t']).next();
        word.is_some_and(known_keys::begins_a_key)
    })
}

/// The full path of a place that the command line names, relative to the working directory, or that a variable names.
fn place(
    environment: &Environment,
    option: Option<&Path>,
    option_name: &'static str,
    variable: &'static str,
) -> Result<Option<(PathBuf, &'static str)>, SettingsError> {
    if let Some(path) = option {
        // Collected anew, so that no `.` stands in it.
        let path = environment.working_dir().join(path).components().collect();
        return Ok(Some((path, option_name)));
    }
    let Some(value) = environment.get(variable) else {
        return Ok(None);
    };
    let text = value.to_string_lossy();
    match values::path(&text) {
        Ok(_) => Ok(Some((value.into(), variable))),
        // It outlives the folder in which it was set.
        Err(problem) => Err(SettingsError::WrongValue {
            name: variable.into(),
            place: "the environment".into(),
            value: text.into_owned(),
            problem,
        }),
    }
}

fn is_folder(path: PathBuf, by: &'static str) -> Result<PathBuf, SettingsError> {
    match path.metadata() {
        Ok(about) if about.is_dir() => Ok(path),
        Ok(_) => Err(SettingsError::NamedPlace {
            name: by.into(),
            path,
            problem: "is no folder. Name the folder that .env and vega.toml are in".into(),
        }),
        Err(error) => Err(refused(by, &path, &NoText::of(&path, error))),
    }
}

fn refused(by: &str, path: &Path, problem: &NoText) -> SettingsError {
    SettingsError::NamedPlace {
        name: by.into(),
        path: path.into(),
        problem: problem.to_string(),
    }
}

/// The file, if anything exists at the path. What it is shows when it is read: if it were ignored here, none of its
/// settings would apply and nobody would notice.
fn there(path: PathBuf) -> Result<Option<PathBuf>, SettingsError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(Some(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SettingsError::File {
            problem: format!("it {}", NoText::of(&path, error)),
            path,
        }),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|about| (about.dev(), about.ino())).ok();
    one == other || identity(one).is_some_and(|one| identity(other) == Some(one))
}
