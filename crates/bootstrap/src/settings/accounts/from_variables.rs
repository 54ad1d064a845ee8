//! The account `default` from the `UPSTOX_*` keys: APIs numbered from 0, or from 1 with explicit names, without gaps.

use std::collections::BTreeSet;

use vega_domain::InvalidValue;
use vega_domain::account::{Account, Api, RedirectUri, Route};
use vega_domain::ids::{AccountId, ApiName, ClientId, MobileNumber, UserId};

use super::configured::{ApiPlaces, Configured, default_redirect_uri, missing, redirect_uri, secret, wrong};
use crate::settings::env_file::Variable;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;

/// The names of the first six APIs if none are configured.
const DEFAULT_NAMES: [&str; 6] = [
    "PRIMARY",
    "WEBSOCKET1",
    "WEBSOCKET2",
    "WEBSOCKET3",
    "OPTIONCHAIN1",
    "OPTIONCHAIN2",
];

/// The account from the `UPSTOX_*` keys; `None` if they name no app.
pub(super) fn read(sources: &Sources, route: Route) -> Result<Option<Configured>, SettingsError> {
    let numbers = numbers(sources)?;
    refuse_parts_of_no_app(sources, &numbers)?;
    if numbers.is_empty() {
        return Ok(None);
    }
    let mobile = sources
        .get("UPSTOX_MOBILE_NUMBER")
        .ok_or_else(|| missing("UPSTOX_MOBILE_NUMBER", "Vega types it on the login page"))?;
    let redirect = sources.get("UPSTOX_REDIRECT_URI");
    let redirect_uri = match redirect {
        Some(variable) => checked("UPSTOX_REDIRECT_URI", variable, redirect_uri)?,
        None => default_redirect_uri()?,
    };
    let redirect_place = redirect.map(|variable| variable.called("UPSTOX_REDIRECT_URI"));
    let mut apis = Vec::new();
    let mut places = Vec::new();
    for number in numbers {
        let (api, mut api_places) = api(sources, number, &redirect_uri)?;
        api_places.redirect_uri.clone_from(&redirect_place);
        apis.push(api);
        places.push(api_places);
    }
    let user_id = sources.get("UPSTOX_USER_ID");
    let account = Account {
        id: AccountId::new("default").map_err(|problem| wrong("account", "the defaults", problem))?,
        mobile_number: checked("UPSTOX_MOBILE_NUMBER", mobile, MobileNumber::read)?,
        user_id: user_id
            .map(|variable| checked("UPSTOX_USER_ID", variable, UserId::read))
            .transpose()?,
        route,
        apis,
    };
    Ok(Some(Configured {
        account,
        place: mobile.called("UPSTOX_MOBILE_NUMBER"),
        mobile_place: mobile.called("UPSTOX_MOBILE_NUMBER"),
        user_place: user_id.map(|variable| variable.called("UPSTOX_USER_ID")),
        route_place: None,
        api_places: places,
    }))
}

/// The numbers in use: 0..n or 1..n.
fn numbers(sources: &Sources) -> Result<Vec<usize>, SettingsError> {
    const PREFIX: &str = "UPSTOX_CLIENT_ID_";
    let mut numbers = BTreeSet::new();
    for name in sources.names(PREFIX) {
        numbers.insert(number(sources, name, &name[PREFIX.len()..])?);
    }
    let numbers: Vec<usize> = numbers.into_iter().collect();
    let first = numbers.first().copied().unwrap_or(0);
    let expected = usize::from(first == 1);
    for (number, next) in numbers.iter().zip(expected..) {
        if *number != next {
            return Err(missing(
                &format!("{PREFIX}{next}"),
                &format!("{PREFIX}{number} is; numbers have no gaps"),
            ));
        }
    }
    Ok(numbers)
}

/// The number at the end of a key. `01` and `+1` are refused, because a look-up of number 1 would not find them.
fn number(sources: &Sources, name: &str, digits: &str) -> Result<usize, SettingsError> {
    match digits.parse::<usize>() {
        Ok(number) if number.to_string() == digits => Ok(number),
        _ => {
            let place = sources.get(name).map_or("", |found| &*found.place);
            let problem = InvalidValue {
                what: "key",
                problem: "must end with its number, written as 0, 1, 2 and so on".into(),
            };
            Err(wrong(name, place, problem))
        }
    }
}

/// Refuses a name or a secret without its client id: that is a forgotten line, and not one app less.
fn refuse_parts_of_no_app(sources: &Sources, numbers: &[usize]) -> Result<(), SettingsError> {
    for prefix in ["UPSTOX_CLIENT_SECRET_", "UPSTOX_API_NAME_"] {
        for name in sources.names(prefix) {
            let rest = &name[prefix.len()..];
            let digits = match prefix {
                "UPSTOX_CLIENT_SECRET_" => rest.strip_suffix("_FILE").unwrap_or(rest),
                _ => rest,
            };
            let number = number(sources, name, digits)?;
            if !numbers.contains(&number) {
                return Err(missing(
                    &format!("UPSTOX_CLIENT_ID_{number}"),
                    &format!("{name} is"),
                ));
            }
        }
    }
    Ok(())
}

fn api(
    sources: &Sources,
    number: usize,
    redirect_uri: &RedirectUri,
) -> Result<(Api, ApiPlaces), SettingsError> {
    let key = |what: &str| format!("UPSTOX_{what}_{number}");
    let starts_at_one = sources.get("UPSTOX_CLIENT_ID_0").is_none();
    let name_key = key("API_NAME");
    let name = match (sources.get(&name_key), DEFAULT_NAMES.get(number)) {
        (Some(variable), _) => checked(&name_key, variable, ApiName::read)?,
        (None, Some(name)) if !starts_at_one => {
            ApiName::new(*name).map_err(|problem| wrong(&name_key, "the defaults", problem))?
        }
        (None, _) => {
            let why = "only six APIs numbered from 0 have names of their own";
            return Err(missing(&name_key, why));
        }
    };
    let id_key = key("CLIENT_ID");
    let client_id = sources
        .get(&id_key)
        .ok_or_else(|| missing(&id_key, "every API has one"))?;
    let secret_key = key("CLIENT_SECRET");
    let (client_secret, secret_place) = sources
        .secret(&secret_key)?
        .ok_or_else(|| missing(&secret_key, &format!("{id_key} is")))?;
    let client_secret = secret(&client_secret, &secret_place)?;
    let places = ApiPlaces {
        api: client_id.called(&id_key),
        client_id: client_id.called(&id_key),
        client_secret: secret_place,
        redirect_uri: None,
    };
    let api = Api {
        name,
        client_id: checked(&id_key, client_id, ClientId::read)?,
        client_secret,
        redirect_uri: redirect_uri.clone(),
    };
    Ok((api, places))
}

fn checked<T>(
    name: &str,
    variable: &Variable,
    read: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Result<T, SettingsError> {
    read(&variable.value).map_err(|problem| wrong(name, &variable.place, problem))
}
