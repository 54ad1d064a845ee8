//! Loads the settings: first the sources, then each setting, the accounts, and the list of settings in force.

use crate::settings::Settings;
use crate::settings::accounts;
use crate::settings::effective::effective;
use crate::settings::environment::Environment;
use crate::settings::network;
use crate::settings::redirect_warnings;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;

impl Settings {
    /// Reads files and environment.
    pub fn load(environment: &Environment) -> Result<Self, SettingsError> {
        let sources = Sources::read(environment)?;
        let settings = Self {
            proxy: network::proxy(&sources, environment)?,
            ..Self::read(&sources)?
        };
        let accounts = accounts::read(&sources, settings.route)?;
        Ok(Self {
            accounts: accounts
                .iter()
                .map(|configured| configured.account.clone())
                .collect(),
            effective: effective(&settings, &accounts, &sources).into(),
            warnings: sources
                .warnings()
                .into_iter()
                .chain(accounts::warnings(&accounts))
                .chain(redirect_warnings::warnings(&settings.server, &accounts))
                .collect(),
            ..settings
        })
    }
}
