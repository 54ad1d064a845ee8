//! The errors of settings: what is wrong, where, and what to do. The value of a secret is never shown.

use std::path::{Path, PathBuf};

use thiserror::Error;
use vega_domain::InvalidValue;
use vega_persistence::FileError;

/// Why Vega cannot start with these settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no home directory to keep anything in.
    #[error("there is no home directory. Set HOME, or XDG_CONFIG_HOME and XDG_DATA_HOME")]
    NoHome,
    /// Nothing is configured yet.
    #[error(
        "no Upstox app is configured{}{} UPSTOX_MOBILE_NUMBER, UPSTOX_CLIENT_ID_0 and UPSTOX_CLIENT_SECRET_0",
        read_in_vain(.env_files), first_step(.env_files, .config_dir)
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
    /// A file has a key that Vega does not know: if it were ignored, it would have no effect and nobody would notice.
    #[error("{name} in {place} is no setting of Vega. {known}. Correct the name, or take it out")]
    Unknown {
        /// The key.
        name: String,
        /// The file, with the line where it is known.
        place: String,
        /// What exists instead, as a sentence.
        known: String,
    },
    /// The value is not valid for its key.
    #[error("{name} in {place} is {value:?}, which {problem}")]
    WrongValue {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// The value; never a secret.
        value: String,
        /// What is wrong with it, and which values are valid.
        problem: &'static str,
    },
    /// A list or a section stands where one value belongs, or the other way round.
    #[error("{name} in {place} is {found}. Write {wanted}")]
    WrongShape {
        /// The key.
        name: String,
        /// The file, with the line.
        place: String,
        /// What was found.
        found: String,
        /// What is needed.
        wanted: String,
    },
    /// It names an API that no account has.
    #[error("{name} in {place} is {api:?}, which is not configured. Known are: {known}")]
    NoSuchApi {
        /// The key.
        name: String,
        /// The file, with the line.
        place: String,
        /// The API.
        api: String,
        /// Those that there are.
        known: String,
    },
    /// The value is not valid for its key, by the rules of the domain.
    #[error("{name} in {place}: {problem}")]
    Value {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// What is wrong.
        problem: InvalidValue,
    },
    /// A secret does not have the form that Upstox gives out; it is not shown.
    #[error("{place}: {problem}")]
    WrongSecret {
        /// The key with its place.
        place: String,
        /// What is wrong.
        problem: InvalidValue,
    },
    /// Two keys that are never the same have one value.
    #[error("{first} and {second} have the same value, so one stands in the other's place. {rule}")]
    MixedUp {
        /// The first key with its place.
        first: String,
        /// The second key with its place.
        second: String,
        /// What to do.
        rule: &'static str,
    },
    /// Two APIs or accounts share what must be unique.
    #[error("{first} and {second} are the same: {value}. {rule}")]
    Twice {
        /// The first key.
        first: String,
        /// The second key.
        second: String,
        /// What they share.
        value: String,
        /// Why that is not possible, and what to do.
        rule: &'static str,
    },
    /// Two keys give the same setting, and it would be unclear which one applies.
    #[error("{first} and {second} say the same thing twice. Take one of them out")]
    Both {
        /// The first key with its place.
        first: String,
        /// The second key with its place.
        second: String,
    },
    /// The file that should hold a secret gives none.
    #[error("{name} in {place} names {path}, which {problem}")]
    SecretFile {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// The secret's file.
        path: PathBuf,
        /// What is wrong with it; the text follows "which".
        problem: String,
    },
    /// A folder or file that was named gives no settings.
    #[error("{name} names {path}, which {problem}")]
    NamedPlace {
        /// The option or the variable.
        name: String,
        /// What it names.
        path: PathBuf,
        /// What is wrong with it and what to do; the text follows "which".
        problem: String,
    },
    /// Another user can change or replace a file of settings.
    #[error("Vega reads no settings that others may change: {0}")]
    Changeable(#[from] FileError),
    /// `.env` or `vega.toml` cannot be read.
    #[error("{path} cannot be read: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do, without quoting the file.
        problem: String,
    },
    /// The layers of settings could not be merged, which is a mistake of Vega's.
    #[error("the settings cannot be put together: {0}. Please report this")]
    Merge(String),
}

fn first_step(read: &[PathBuf], config_dir: &Path) -> String {
    if read.is_empty() {
        format!(". Copy .env.example to {}/.env and fill in", config_dir.display())
    } else {
        ". Fill in there".to_owned()
    }
}

fn read_in_vain(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" in {}", names.join(" or "))
    }
}
