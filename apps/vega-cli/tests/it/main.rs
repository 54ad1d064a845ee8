//! `vega` as a user meets it: help, settings, reports, and what it says when it cannot start. Nothing here needs a
//! network or a browser.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod access;
mod accounts_in_toml;
mod audit;
mod backup;
mod broken_database;
mod broken_key;
mod files;
mod last_byte;
mod missing_browser;
mod open_folders;
mod pasted_values;
mod preflight;
mod relocation;
mod reports;
mod rows;
mod seal;
mod sources;
mod terminal;
mod unknown_settings;
mod usage;
mod working_directory;
mod world;
mod wrong_settings;
