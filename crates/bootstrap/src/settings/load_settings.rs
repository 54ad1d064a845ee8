//! Loads the settings: first the sources, then each setting, the accounts, and the list of settings in force.

use std::path::PathBuf;

use vega_domain::account::Account;

use crate::settings::Settings;
use crate::settings::accounts;
use crate::settings::effective::effective;
use crate::settings::environment::Environment;
use crate::settings::files;
use crate::settings::network;
use crate::settings::redirect_warnings;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;

impl Settings {
    /// The files that no token may be written over.
    fn own_files(&self, sources: &Sources) -> Vec<PathBuf> {
        let places = &sources.places;
        let mut own = places.env_files.clone();
        own.extend(places.toml.clone());
        own.push(self.key_source.path().to_owned());
        own.extend(self.database_place.local_file());
        own.extend(self.password_file.clone());
        own.extend(self.database_place.ca.clone());
        if let Some(tls) = &self.server.tls {
            own.extend([tls.certificate.clone(), tls.key.clone()]);
        }
        own
    }

    /// Reads files and environment.
    pub fn load(environment: &Environment) -> Result<Self, SettingsError> {
        let sources = Sources::read(environment)?;
        let settings = Self {
            proxy: network::proxy(&sources, environment)?,
            ..Self::read(&sources)?
        };
        let accounts = accounts::read(&sources, settings.route)?;
        let configured: Vec<&Account> = accounts.iter().map(|configured| &configured.account).collect();
        let settings = Self {
            files: files::read(&sources, &configured, &settings.own_files(&sources))?,
            ..settings
        };
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
