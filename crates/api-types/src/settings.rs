//! The settings in force.

use serde::Serialize;
use utoipa::ToSchema;

/// What Vega runs with; secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConfigView {
    pub v: u8,
    /// Of Vega.
    pub version: &'static str,
    /// The database file.
    pub database: String,
    pub settings: Vec<SettingView>,
    /// What is odd in the settings, in words.
    pub warnings: Vec<String>,
}

impl ConfigView {
    /// `settings`: key, value and source of each.
    pub fn of<'s>(
        database: &str,
        settings: impl Iterator<Item = (&'s str, &'s str, &'s str)>,
        warnings: &[String],
    ) -> Self {
        let settings = settings.map(|(key, value, source)| SettingView {
            key: key.to_owned(),
            value: value.to_owned(),
            source: source.to_owned(),
        });
        Self {
            v: 1,
            version: env!("CARGO_PKG_VERSION"),
            database: database.to_owned(),
            settings: settings.collect(),
            warnings: warnings.to_vec(),
        }
    }
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SettingView {
    /// As in `vega.toml`: `section.key`; for accounts `account.API.key`.
    pub key: String,
    /// What it is; masked where it is secret.
    pub value: String,
    /// A file, `the environment` or `default`.
    pub source: String,
}
