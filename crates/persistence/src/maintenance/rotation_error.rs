//! Why a key was not rotated: one message for each cause, with the way out.

use std::path::PathBuf;

use thiserror::Error;
use vega_domain::ports::StoreError;

use crate::database::open_error::OpenError;
use crate::files::FileError;
use crate::key_files::key_to_copy::KeyToCopy;
use crate::key_files::root_key::KeyError;

/// Why the key was not replaced, or not completely.
#[derive(Debug, Error)]
pub enum RotationError {
    /// Vega may not write the key.
    #[error(
        "the key in force is the systemd credential {0}, which Vega never writes, so nothing was changed. To rotate it, stop \
         the services that use it, write it into a private file (systemd-creds decrypt) and rotate that one: \
         VEGA__KEY_FILE=/path/of/the/file vega seal rotate. Then make the credential anew from the file \
         (systemd-creds encrypt --name=vega.key), put the old key that lies beside it away, and remove the file"
    )]
    Credential(PathBuf),
    /// A token or an answer waits for its place in the database.
    #[error(
        "the key was not replaced: the spool beside the database holds what that did not take yet. `vega verify` moves it \
         there and says what is in the way; then rotate the key"
    )]
    Spooled,
    /// Other machines have to get the next key first, or something else is in the way of two steps.
    #[error(transparent)]
    Steps(#[from] StepsError),
    /// Nothing was changed.
    #[error("the key was not replaced, and everything is as it was: {0}")]
    Key(#[from] KeyError),
    /// Nothing was changed.
    #[error("the key was not replaced, and everything is as it was: {0}")]
    File(#[from] FileError),
    /// Nothing was changed.
    #[error("the key was not replaced, and everything is as it was: {0}")]
    Store(#[from] StoreError),
    /// Nothing was changed.
    #[error("the key was not replaced, and everything is as it was: {0}")]
    Open(#[from] OpenError),
    /// The commit failed, so it is unknown whether it is durable.
    #[error(
        "the database could not say whether everything is sealed with the new key now: {source}. That key lies in {next}, \
         and the next start of Vega finds out which one counts; remove no key file before"
    )]
    Unclear {
        /// The new key.
        next: PathBuf,
        /// The database's error.
        source: StoreError,
    },
    /// Everything is sealed with the new key, but the key file could not be replaced.
    #[error(
        "everything is sealed with the new key now, which lies in {next}, but it could not be put in its place: {source}. \
         The next start of Vega tries again; remove no key file before"
    )]
    NotInPlace {
        /// The file with the key in force.
        next: PathBuf,
        /// Why it could not be put in place.
        source: KeyError,
    },
}

/// Why a step of the rotation was refused. Nothing was changed.
#[derive(Debug, Error)]
pub enum StepsError {
    /// Steps are for several machines.
    #[error(
        "the database is in a file, which this machine has alone: nothing has to be copied, and `vega seal rotate` replaces the key \
         in one step. Nothing was changed"
    )]
    OneMachine,
    /// Others would be left without the key.
    #[error(
        "the database is used on {} too, without a key for it then. `vega seal rotate --prepare` makes the next key, and tells what to \
         copy where; when they have it, `vega seal rotate --commit` puts it in force. Nothing was changed", .0.join(" and ")
    )]
    SeveralMachines(Vec<String>),
    /// There is no prepared key.
    #[error("no key was prepared: `vega seal rotate --prepare` makes the next one. Nothing was changed")]
    NotPrepared,
    /// This machine does not have the prepared one.
    #[error("the key that was prepared is not on this machine. {0}, or rotate there. Nothing was changed")]
    NotHere(KeyToCopy),
    /// Some of the others do not have it.
    #[error(
        "the next key is not on {} yet. Copy {} there, by hand and in private, into the folder of its key file and under the \
         same name (scp -p): a running server says within 30 s that it has it, `vega seal machines` there at once. A machine that \
         is gone for good is left out with --without NAME. Nothing was changed", .machines.join(" and "), .file.display()
    )]
    NotEverywhere {
        /// The machines.
        machines: Vec<String>,
        /// The file to be copied.
        file: PathBuf,
    },
    /// A name of no machine.
    #[error("no machine is named {0:?}: `vega seal machines` lists them. Nothing was changed")]
    NoSuchMachine(String),
}
