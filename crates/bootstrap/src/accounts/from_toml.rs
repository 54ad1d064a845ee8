//! Accounts from `vega.toml`: `[[accounts]]` with `[[accounts.apis]]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vega_domain::account::{Account, Api, RedirectUri};
use vega_domain::ids::{AccountId, ApiName, ClientId, InvalidValue, MobileNumber, UserId};
use vega_domain::secret::ClientSecret;

use super::{Configured, default_redirect_uri, missing, wrong};
use crate::settings::SettingsError;
use crate::sources::read_secret_file;

/// One `[[accounts]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountSection {
    name: String,
    mobile_number: String,
    user_id: Option<String>,
    redirect_uri: Option<String>,
    #[serde(default)]
    apis: Vec<ApiSection>,
}

/// One `[[accounts.apis]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiSection {
    name: String,
    client_id: String,
    client_secret: Option<String>,
    client_secret_file: Option<PathBuf>,
    redirect_uri: Option<String>,
}

/// The accounts of `vega.toml`; `file` is where they stand.
pub(super) fn read(sections: Vec<AccountSection>, file: &Path) -> Result<Vec<Configured>, SettingsError> {
    let origin = file.display().to_string();
    sections
        .into_iter()
        .enumerate()
        .map(|(index, section)| account(section, index, &origin))
        .collect()
}

fn account(section: AccountSection, index: usize, origin: &str) -> Result<Configured, SettingsError> {
    let place = format!("accounts[{index}]");
    let key = |name: &str| format!("{place}.{name}");
    let redirect_uri = match section.redirect_uri {
        Some(uri) => checked(&key("redirect_uri"), origin, &uri, RedirectUri::new)?,
        None => default_redirect_uri()?,
    };
    if section.apis.is_empty() {
        return Err(missing(
            &key("apis"),
            &format!("{place} in {origin} is; an account without an app gets no token"),
        ));
    }
    let mut apis = Vec::new();
    let mut api_places = Vec::new();
    for (number, api) in section.apis.into_iter().enumerate() {
        let place = format!("{place}.apis[{number}]");
        apis.push(read_api(api, &place, origin, &redirect_uri)?);
        api_places.push(format!("{place} in {origin}"));
    }
    let account = Account {
        id: checked(&key("name"), origin, &section.name, AccountId::new)?,
        mobile_number: checked(
            &key("mobile_number"),
            origin,
            &section.mobile_number,
            MobileNumber::new,
        )?,
        user_id: section
            .user_id
            .map(|user| checked(&key("user_id"), origin, &user, UserId::new))
            .transpose()?,
        apis,
    };
    Ok(Configured {
        account,
        place: format!("{place} in {origin}"),
        api_places,
    })
}

fn read_api(
    section: ApiSection,
    place: &str,
    origin: &str,
    redirect_uri: &RedirectUri,
) -> Result<Api, SettingsError> {
    let key = |name: &str| format!("{place}.{name}");
    let client_secret = match (section.client_secret, section.client_secret_file) {
        (Some(secret), _) if !secret.trim().is_empty() => secret.trim().to_owned(),
        (_, Some(path)) => read_secret_file(&key("client_secret_file"), path)?,
        _ => return Err(missing(&key("client_secret"), &format!("{place} in {origin} is"))),
    };
    Ok(Api {
        name: checked(&key("name"), origin, &section.name, ApiName::new)?,
        client_id: checked(&key("client_id"), origin, &section.client_id, ClientId::new)?,
        client_secret: ClientSecret::new(client_secret),
        redirect_uri: match section.redirect_uri {
            Some(uri) => checked(&key("redirect_uri"), origin, &uri, RedirectUri::new)?,
            None => redirect_uri.clone(),
        },
    })
}

fn checked<T>(
    name: &str,
    origin: &str,
    value: &str,
    read: impl FnOnce(String) -> Result<T, InvalidValue>,
) -> Result<T, SettingsError> {
    read(value.trim().to_owned()).map_err(|problem| wrong(name, origin, problem))
}
