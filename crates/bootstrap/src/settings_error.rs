//! What settings are refused with: what is wrong, where, and what to do. The value of a secret is never told.

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
    /// A key of a file that Vega does not know: left alone, it would do nothing and nobody would notice.
    #[error("{name} in {place} is no setting of Vega. {known}. Correct the name, or take it out")]
    Unknown {
        /// The key.
        name: String,
        /// The file, with the line where it is known.
        place: String,
        /// What there is instead, as a sentence.
        known: String,
    },
    /// A value is not what its key takes.
    #[error("{name} in {place} is {value:?}, which {problem}")]
    WrongValue {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// What stands there; no secret.
        value: String,
        /// What is wrong with it, and what the key takes.
        problem: &'static str,
    },
    /// A list or a section stands where one value belongs, or the other way round.
    #[error("{name} in {place} is {found}. Write {wanted}")]
    WrongShape {
        /// The key.
        name: String,
        /// The file, with the line.
        place: String,
        /// What stands there.
        found: String,
        /// What should.
        wanted: String,
    },
    /// A value is not what its key takes, as the vocabulary says.
    #[error("{name} in {place}: {problem}")]
    Value {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// What is wrong.
        problem: InvalidValue,
    },
    /// A secret is not what Upstox gives out; it is not told.
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
        /// The one key with its place.
        first: String,
        /// The other.
        second: String,
        /// What to do.
        rule: &'static str,
    },
    /// Two APIs or accounts share what must be unique.
    #[error("{first} and {second} are the same: {value}. {rule}")]
    Twice {
        /// The one key.
        first: String,
        /// The other key.
        second: String,
        /// What they share.
        value: String,
        /// Why that cannot be, and what to do.
        rule: &'static str,
    },
    /// Two keys give the same thing, and nobody could tell which counts.
    #[error("{first} and {second} say the same thing twice. Take one of them out")]
    Both {
        /// The one key with its place.
        first: String,
        /// The other.
        second: String,
    },
    /// The file that holds a secret gives none.
    #[error("{name} in {place} names {path}, which {problem}")]
    SecretFile {
        /// The key.
        name: String,
        /// The file, or the environment.
        place: String,
        /// The secret's file.
        path: PathBuf,
        /// What is wrong with it, to follow "which".
        problem: String,
    },
    /// A folder or file that was named gives no settings.
    #[error("{name} names {path}, which {problem}")]
    NamedPlace {
        /// The option or the variable.
        name: String,
        /// What it names.
        path: PathBuf,
        /// What is wrong with it and what to do, to follow "which".
        problem: String,
    },
    /// Another user may change what would be read, or put something else in its place.
    #[error("Vega reads no settings that others may change: {0}")]
    Changeable(#[from] FileError),
    /// `.env` or `vega.toml` cannot be read.
    #[error("{path} cannot be read: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do, without the words of the file.
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
