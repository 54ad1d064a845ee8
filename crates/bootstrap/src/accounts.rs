//! The accounts of an installation: one from the `UPSTOX_*` keys, any number from `vega.toml`, each app once.

mod from_toml;
mod from_variables;

use vega_domain::account::{Account, RedirectUri};
use vega_domain::ids::InvalidValue;

use crate::settings_error::SettingsError;
use crate::sources::Sources;

const DEFAULT_REDIRECT_URI: &str = "http://localhost:28020/api/v1/auth/upstox/callback";

/// An account and where it was configured.
pub(crate) struct Configured {
    pub(crate) account: Account,
    pub(crate) place: String,
    /// One per API, in their order.
    pub(crate) api_places: Vec<String>,
}

/// All accounts, the one of the `UPSTOX_*` keys first.
pub(crate) fn read(sources: &Sources) -> Result<Vec<Configured>, SettingsError> {
    let mut accounts: Vec<Configured> = from_variables::read(sources)?.into_iter().collect();
    if let Some(file) = sources.file_with_accounts() {
        accounts.extend(from_toml::read(file, sources)?);
    }
    if accounts.is_empty() {
        return Err(if sources.get("UPSTOX_MOBILE_NUMBER").is_some() {
            missing("UPSTOX_CLIENT_ID_0", "without an app there is no token to get")
        } else {
            SettingsError::NothingConfigured {
                config_dir: sources.config_dir.clone(),
                env_files: sources.env_files.clone(),
            }
        });
    }
    refuse_twins(&accounts)?;
    Ok(accounts)
}

fn refuse_twins(accounts: &[Configured]) -> Result<(), SettingsError> {
    let twice = |first: &str, second: &str, value: &str, rule| SettingsError::Twice {
        first: first.into(),
        second: second.into(),
        value: value.into(),
        rule,
    };
    for (index, second) in accounts.iter().enumerate() {
        if let Some(first) = accounts[..index]
            .iter()
            .find(|first| first.account.id == second.account.id)
        {
            let rule = "Give one of them another name; the account of the UPSTOX_* keys is `default`";
            return Err(twice(
                &first.place,
                &second.place,
                second.account.id.as_str(),
                rule,
            ));
        }
    }
    let apis: Vec<_> = accounts
        .iter()
        .flat_map(|configured| configured.account.apis.iter().zip(&configured.api_places))
        .collect();
    for (index, (second, second_place)) in apis.iter().enumerate() {
        for (first, first_place) in &apis[..index] {
            if first.name == second.name {
                let rule = "An API's name is unique over all accounts: give one of them another name";
                return Err(twice(first_place, second_place, second.name.as_str(), rule));
            }
            if first.client_id == second.client_id {
                let rule = "A new token of an app kills its earlier one, so each app is configured once: take one out";
                return Err(twice(first_place, second_place, second.client_id.as_str(), rule));
            }
        }
    }
    Ok(())
}

fn default_redirect_uri() -> Result<RedirectUri, SettingsError> {
    RedirectUri::new(DEFAULT_REDIRECT_URI).map_err(|problem| wrong("redirect_uri", "the defaults", problem))
}

fn wrong(name: &str, place: &str, problem: InvalidValue) -> SettingsError {
    SettingsError::Value {
        name: name.into(),
        place: place.into(),
        problem,
    }
}

fn missing(name: &str, needed_by: &str) -> SettingsError {
    SettingsError::Missing {
        name: name.into(),
        needed_by: needed_by.into(),
    }
}
