//! The account and its APIs from the `UPSTOX_*` keys: numbered from 0, or from 1 with explicit names, without gaps.

use std::collections::BTreeSet;

use vega_domain::account::{Account, Api, RedirectUri};
use vega_domain::ids::{AccountId, ApiName, ClientId, InvalidValue, MobileNumber, UserId};
use vega_domain::secret::ClientSecret;

use crate::settings::SettingsError;
use crate::sources::{Sources, Variable};

/// The names of the first six APIs where none are given.
const DEFAULT_NAMES: [&str; 6] = [
    "PRIMARY",
    "WEBSOCKET1",
    "WEBSOCKET2",
    "WEBSOCKET3",
    "OPTIONCHAIN1",
    "OPTIONCHAIN2",
];

const DEFAULT_REDIRECT_URI: &str = "http://localhost:28020/api/v1/auth/upstox/callback";

/// The one account that the `UPSTOX_*` keys describe.
pub(crate) fn read(sources: &Sources) -> Result<Vec<Account>, SettingsError> {
    let numbers = numbers(sources)?;
    let Some(mobile) = sources.get("UPSTOX_MOBILE_NUMBER") else {
        return Err(if numbers.is_empty() {
            SettingsError::NothingConfigured {
                config_dir: sources.config_dir.clone(),
                env_files: sources.env_files.clone(),
            }
        } else {
            missing("UPSTOX_MOBILE_NUMBER", "Vega types it on the login page")
        });
    };
    if numbers.is_empty() {
        return Err(missing(
            "UPSTOX_CLIENT_ID_0",
            "without an app there is no token to get",
        ));
    }
    let redirect_uri = match sources.get("UPSTOX_REDIRECT_URI") {
        Some(variable) => checked("UPSTOX_REDIRECT_URI", variable, RedirectUri::new)?,
        None => RedirectUri::new(DEFAULT_REDIRECT_URI)
            .map_err(|problem| wrong("UPSTOX_REDIRECT_URI", "the defaults", problem))?,
    };
    let mut apis = Vec::new();
    for number in numbers {
        apis.push((number, api(sources, number, &redirect_uri)?));
    }
    refuse_twins(&apis)?;
    let user_id = sources.get("UPSTOX_USER_ID");
    Ok(vec![Account {
        id: AccountId::new("default").map_err(|problem| wrong("account", "the defaults", problem))?,
        mobile_number: checked("UPSTOX_MOBILE_NUMBER", mobile, MobileNumber::new)?,
        user_id: user_id
            .map(|variable| checked("UPSTOX_USER_ID", variable, UserId::new))
            .transpose()?,
        apis: apis.into_iter().map(|(_, api)| api).collect(),
    }])
}

/// The numbers in use: 0..n or 1..n.
fn numbers(sources: &Sources) -> Result<Vec<usize>, SettingsError> {
    const PREFIX: &str = "UPSTOX_CLIENT_ID_";
    let mut numbers = BTreeSet::new();
    for name in sources.names(PREFIX) {
        let number = name[PREFIX.len()..].parse().map_err(|_| {
            let problem = InvalidValue {
                what: "key",
                problem: "must end with a number".into(),
            };
            wrong(
                name,
                &sources
                    .get(name)
                    .map(|found| found.origin.clone())
                    .unwrap_or_default(),
                problem,
            )
        })?;
        numbers.insert(number);
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

fn api(sources: &Sources, number: usize, redirect_uri: &RedirectUri) -> Result<Api, SettingsError> {
    let key = |what: &str| format!("UPSTOX_{what}_{number}");
    let starts_at_one = sources.get("UPSTOX_CLIENT_ID_0").is_none();
    let name_key = key("API_NAME");
    let name = match (sources.get(&name_key), DEFAULT_NAMES.get(number)) {
        (Some(variable), _) => checked(&name_key, variable, ApiName::new)?,
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
    let client_secret = sources
        .secret(&secret_key)?
        .ok_or_else(|| missing(&secret_key, &format!("{id_key} is")))?;
    Ok(Api {
        name,
        client_id: checked(&id_key, client_id, ClientId::new)?,
        client_secret: ClientSecret::new(client_secret),
        redirect_uri: redirect_uri.clone(),
    })
}

fn refuse_twins(apis: &[(usize, Api)]) -> Result<(), SettingsError> {
    for (index, (second, api)) in apis.iter().enumerate() {
        for (first, earlier) in &apis[..index] {
            if earlier.name == api.name {
                return Err(SettingsError::Twice {
                    first: format!("the names of API {first}"),
                    second: format!("API {second}"),
                    value: api.name.to_string(),
                    rule: "A name is unique over all accounts: set UPSTOX_API_NAME_n",
                });
            }
            if earlier.client_id == api.client_id {
                return Err(SettingsError::Twice {
                    first: format!("UPSTOX_CLIENT_ID_{first}"),
                    second: format!("UPSTOX_CLIENT_ID_{second}"),
                    value: api.client_id.to_string(),
                    rule: "A new token of an app kills its earlier one, so each app is configured once",
                });
            }
        }
    }
    Ok(())
}

fn checked<T>(
    name: &str,
    variable: &Variable,
    read: impl FnOnce(String) -> Result<T, InvalidValue>,
) -> Result<T, SettingsError> {
    read(variable.value.trim().to_owned()).map_err(|problem| wrong(name, &variable.origin, problem))
}

fn wrong(name: &str, origin: &str, problem: InvalidValue) -> SettingsError {
    SettingsError::Value {
        name: name.into(),
        origin: origin.into(),
        problem,
    }
}

fn missing(name: &str, needed_by: &str) -> SettingsError {
    SettingsError::Missing {
        name: name.into(),
        needed_by: needed_by.into(),
    }
}
