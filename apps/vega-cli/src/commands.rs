//! One file for each command: passes what was asked to the application, and shows what came of it.

pub(crate) mod adopt;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod cancel;
pub(crate) mod config;
pub(crate) mod console_link;
pub(crate) mod consumers;
pub(crate) mod cooldown;
pub(crate) mod files;
pub(crate) mod generate;
pub(crate) mod key;
pub(crate) mod looked_up;
pub(crate) mod relocate;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod revoke;
pub(crate) mod seal;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod watch;
