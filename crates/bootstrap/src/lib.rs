//! The common start of both programs: settings from files and environment, logging, protection of the process, and the
//! object graph, built once. The only crate that reads time and environment from the system.

mod accounts;
mod answer;
mod browser;
mod clock;
mod degraded_reads;
mod effective;
mod env_file;
mod environment;
mod event_log;
mod evidence;
mod known_keys;
mod layers;
mod load_settings;
mod maintenance;
mod network;
mod open_database;
mod other_people;
mod places;
mod port_decorator;
mod process;
mod program_version;
mod requirements;
mod routes;
mod settings;
mod settings_error;
mod sources;
mod stores;
mod telemetry;
mod toml_file;
mod values;
mod wiring;

pub use answer::Answer;
pub use clock::SystemClock;
pub use degraded_reads::token_without_opening;
pub use environment::{Environment, Named};
pub use evidence::FailureEvidence;
pub use maintenance::{Maintenance, RotateKeyError, StorageError};
pub use places::left_alone;
pub use port_decorator::{PortDecorator, Undecorated};
pub use process::careful_process;
pub use settings::{EffectiveSetting, Settings};
pub use settings_error::SettingsError;
pub use telemetry::{LogFormat, log_to_stderr};
pub use vega_listening::Listener;
pub use vega_persistence::{
    Accepted, Backup, BackupError, DatabaseFacts, KeySource, Rotation, RotationError, RowScope, WalState,
};
pub use vega_selenium::KeptEvidence;
pub use vega_services::{AccessError, ReportError, ReportedToken, Revocation, RevocationError};
pub use wiring::{StartError, Vega};
