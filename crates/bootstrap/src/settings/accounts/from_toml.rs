//! Accounts from `vega.toml`: `[[accounts]]` with `[[accounts.apis]]`. Every error names the key with its line.

use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::ids::{AccountId, ApiName, ClientId, MobileNumber, UserId};

use super::configured::{ApiPlaces, Configured, both, default_redirect_uri, missing, redirect_uri, secret};
use crate::settings::known_keys::ACCOUNTS;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources;
use crate::settings::toml_file::TomlFile;
use crate::settings::toml_tables::{Table, tables};

const ACCOUNT_KEYS: &[&str] = &[
    "name",
    "mobile_number",
    "user_id",
    "redirect_uri",
    "route",
    "apis",
];
const API_KEYS: &[&str] = &[
    "name",
    "client_id",
    "client_secret",
    "client_secret_file",
    "redirect_uri",
];

/// The accounts of this file.
pub(super) fn read(file: &TomlFile, route: Route) -> Result<Vec<Configured>, SettingsError> {
    let entry = file.root.get(ACCOUNTS);
    let accounts = entry.map_or(Ok(Vec::new()), |entry| {
        tables(file, entry, ACCOUNTS, &format!("[[{ACCOUNTS}]]"), ACCOUNT_KEYS)
    })?;
    accounts.iter().map(|table| account(table, route)).collect()
}

fn account(table: &Table<'_>, route_of_all: Route) -> Result<Configured, SettingsError> {
    let redirect = match table.text("redirect_uri")? {
        Some(text) => (text.checked(redirect_uri)?, Some(table.place_of("redirect_uri"))),
        None => (default_redirect_uri()?, None),
    };
    let key = table.key("apis");
    let tables = match table.section.get("apis") {
        Some(entry) => tables(table.file, entry, &key, "[[accounts.apis]]", API_KEYS)?,
        None => Vec::new(),
    };
    if tables.is_empty() {
        let why = format!("{} is; an account without an app gets no token", table.place());
        return Err(missing(&key, &why));
    }
    let mut apis = Vec::new();
    let mut api_places = Vec::new();
    for table in &tables {
        let (api, places) = api(table, &redirect)?;
        apis.push(api);
        api_places.push(places);
    }
    let route = table.text("route")?;
    let account = Account {
        id: table.needed("name")?.checked(AccountId::read)?,
        mobile_number: table.needed("mobile_number")?.checked(MobileNumber::read)?,
        user_id: table
            .text("user_id")?
            .map(|text| text.checked(UserId::read))
            .transpose()?,
        route: route
            .as_ref()
            .map_or(Ok(route_of_all), |text| text.checked(str::parse))?,
        apis,
    };
    Ok(Configured {
        place: table.place(),
        mobile_place: table.place_of("mobile_number"),
        user_place: account.user_id.as_ref().map(|_| table.place_of("user_id")),
        route_place: route.map(|_| table.place_of("route")),
        account,
        api_places,
    })
}

fn api(
    table: &Table<'_>,
    of_account: &(RedirectUri, Option<String>),
) -> Result<(Api, ApiPlaces), SettingsError> {
    let given = (table.text("client_secret")?, table.text("client_secret_file")?);
    let (client_secret, secret_place) = match given {
        (Some(secret), Some(file)) => return Err(both(&secret.called(), &file.called())),
        (Some(secret), None) => {
            let place = secret.called();
            (secret.value, place)
        }
        (None, Some(file)) => {
            let secret = sources::secret_file(&file.name, &file.place, &file.value)?;
            (secret, sources::file_named_by(&file.value, &file.called()))
        }
        (None, None) => return Err(table.lacks("client_secret")),
    };
    let (redirect_uri, redirect_place) = match table.text("redirect_uri")? {
        Some(text) => (text.checked(redirect_uri)?, Some(table.place_of("redirect_uri"))),
        None => of_account.clone(),
    };
    let api = Api {
        name: table.needed("name")?.checked(ApiName::read)?,
        client_id: table.needed("client_id")?.checked(ClientId::read)?,
        client_secret: secret(&client_secret, &secret_place)?,
        redirect_uri,
    };
    let places = ApiPlaces {
        api: table.place(),
        client_id: table.place_of("client_id"),
        client_secret: secret_place,
        redirect_uri: redirect_place,
    };
    Ok((api, places))
}
