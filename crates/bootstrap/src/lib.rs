//! The common start of both programs: settings from files and environment, logging, protection of the process, and the
//! object graph, built once. The only crate that reads time and environment from the system.

mod settings;

mod machine;

mod answer;
mod event_log;
mod telemetry;

mod wiring;

pub use answer::Answer;
pub use machine::clock::SystemClock;
pub use machine::process::careful_process;
pub use settings::environment::{Environment, Named};
pub use settings::places::left_alone;
pub use settings::server_section::ServerSection;
pub use settings::settings_error::SettingsError;
pub use settings::socket::{SocketCallers, SocketRule, SocketSection};
pub use settings::values::length;
pub use settings::{EffectiveSetting, Settings};
pub use telemetry::{LogFormat, log_to_stderr};
pub use vega_listening::{Listener, Scheme, SocketAnswer, SocketConnection};
pub use vega_own_browser::CalledOver;
pub use vega_persistence::{
    Accepted, Backup, BackupError, DatabaseFacts, ExaminedBackup, KeySource, MoveError, Moved, Place,
    PreparedKey, Program, RestoreError, Restored, Rotation, RotationError, RowScope, StepsError, UnfitBackup,
    WalState, refuse_if_others_may_change,
};
pub use vega_services::{
    AccessError, Adopted, AdoptionError, FileOverview, GivenToken, Inspection, KnownConsumer, ReportError,
    ReportedToken, Revocation, RevocationError, Round,
};
pub use vega_upstox::claims_of;
pub use wiring::Vega;
pub use wiring::degraded_reads::token_without_opening;
pub use wiring::maintenance::{Maintenance, RotateKeyError, StorageError};
pub use wiring::open_database::database_is_reached;
pub use wiring::port_decorator::{PortDecorator, Undecorated};
pub use wiring::relocation::{MoveDatabaseError, cancel_move, examine_backup, move_database, restore_backup};
pub use wiring::server_at_socket::{ANSWERS_WITHIN, NoServer, ServerAtSocket};
pub use wiring::start_error::StartError;
pub use wiring::stored_state::{Findings, SigningIn, StoredState};
