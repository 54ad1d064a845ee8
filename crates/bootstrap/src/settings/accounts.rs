//! The accounts of an installation: one from the `UPSTOX_*` keys, any number from `vega.toml`. Each app may occur once.

mod configured;
mod from_toml;
mod from_variables;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use vega_domain::account::Route;

use self::configured::missing;
pub(crate) use self::configured::{ApiPlaces, Configured};
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;

const ONE_LOGIN: &str =
    "One Upstox login is one account: put its apps together under one, and take the other out";

/// All accounts, the one of the `UPSTOX_*` keys first. `route` is used for accounts that name none.
pub(crate) fn read(sources: &Sources, route: Route) -> Result<Vec<Configured>, SettingsError> {
    let mut accounts: Vec<Configured> = from_variables::read(sources, route)?.into_iter().collect();
    if let Some(file) = sources.file_with_accounts() {
        accounts.extend(from_toml::read(file, route)?);
    }
    if accounts.is_empty() {
        return Err(if sources.get("UPSTOX_MOBILE_NUMBER").is_some() {
            missing("UPSTOX_CLIENT_ID_0", "without an app there is no token to get")
        } else {
            SettingsError::NothingConfigured {
                config_dir: sources.places.config_dir.clone(),
                env_files: sources.places.env_files.clone(),
            }
        });
    }
    refuse_twins(&accounts)?;
    for configured in &accounts {
        refuse_mixed_up(configured)?;
    }
    Ok(accounts)
}

/// Refuses values that were interchanged: Upstox would refuse them only after OTP and PIN were spent.
fn refuse_mixed_up(configured: &Configured) -> Result<(), SettingsError> {
    let account = &configured.account;
    for (api, places) in account.apis.iter().zip(&configured.api_places) {
        let mixed_up = |first: &str, second: &str, rule| {
            let (first, second) = (first.into(), second.into());
            Err(SettingsError::MixedUp { first, second, rule })
        };
        let (id, secret) = (api.client_id.as_str(), api.client_secret.expose());
        let (id_place, secret_place) = (&places.client_id, &places.client_secret);
        if id.eq_ignore_ascii_case(secret) {
            return mixed_up(
                id_place,
                secret_place,
                "Put the app's id and its secret each in its place",
            );
        }
        for (value, place) in [(id, id_place), (secret, secret_place)] {
            if value == account.mobile_number.digits() {
                return mixed_up(
                    place,
                    &configured.mobile_place,
                    "Put what Upstox shows for the app there",
                );
            }
            if let (Some(user), Some(user_place)) = (&account.user_id, &configured.user_place)
                && value.eq_ignore_ascii_case(user.as_str())
            {
                let rule = "An app is not named by its owner: put what Upstox shows for the app there";
                return mixed_up(place, user_place, rule);
            }
        }
    }
    Ok(())
}

/// Warnings about what is most likely a mistake.
pub(crate) fn warnings(accounts: &[Configured]) -> Vec<String> {
    let apis = accounts
        .iter()
        .flat_map(|configured| configured.account.apis.iter().zip(&configured.api_places));
    let is_uuid = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    apis.filter(|(api, _)| is_uuid(api.client_secret.expose()) && !is_uuid(api.client_id.as_str()))
        .map(|(api, places)| {
            format!(
                "the secret of {} looks like an id of Upstox's and its id does not. If they stand in each other's place, \
                 exchange {} and {}",
                api.name, places.client_id, places.client_secret
            )
        })
        .collect()
}

fn refuse_twins(accounts: &[Configured]) -> Result<(), SettingsError> {
    let twice = |first: &str, second: &str, value: &str, rule| SettingsError::Twice {
        first: first.into(),
        second: second.into(),
        value: value.into(),
        rule,
    };
    for (index, second) in accounts.iter().enumerate() {
        for first in &accounts[..index] {
            let (one, other) = (&first.account, &second.account);
            if one.id == other.id {
                let rule = "Give one of them another name; the account of the UPSTOX_* keys is `default`";
                return Err(twice(&first.place, &second.place, other.id.as_str(), rule));
            }
            // An account owns the OTP budget, the stop and the browser session of its login.
            if one.mobile_number == other.mobile_number {
                let (first, second) = (&first.mobile_place, &second.mobile_place);
                return Err(twice(first, second, &other.mobile_number.to_string(), ONE_LOGIN));
            }
            if let (Some(one), Some(user)) = (&one.user_id, &other.user_id)
                && one.as_str().eq_ignore_ascii_case(user.as_str())
            {
                let place = |of: &Configured| of.user_place.clone().unwrap_or_default();
                return Err(twice(&place(first), &place(second), user.as_str(), ONE_LOGIN));
            }
        }
    }
    let apis: Vec<_> = accounts
        .iter()
        .flat_map(|configured| configured.account.apis.iter().zip(&configured.api_places))
        .collect();
    // The first place of each value, so that thousands of APIs are looked at once each.
    let (mut ids_in_any_case, mut secrets) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    let (mut names, mut ids) = (HashMap::<_, usize>::new(), HashMap::<_, usize>::new());
    for (index, &(second, second_places)) in apis.iter().enumerate() {
        let (id, secret) = (
            AnyCase(second.client_id.as_str()),
            AnyCase(second.client_secret.expose()),
        );
        let mixed_up = |id_of: usize, secret_of: usize| SettingsError::MixedUp {
            first: apis[id_of].1.client_id.clone(),
            second: apis[secret_of].1.client_secret.clone(),
            rule: "Put each app's own secret in its place",
        };
        if let Some(&first) = ids_in_any_case.get(&secret) {
            return Err(mixed_up(first, index));
        }
        if let Some(&first) = secrets.get(&id) {
            return Err(mixed_up(index, first));
        }
        if let Some(&first) = names.get(&second.name) {
            let rule = "An API's name is unique over all accounts: give one of them another name";
            let (first_place, second_place) = (&apis[first].1.api, &second_places.api);
            return Err(twice(first_place, second_place, second.name.as_str(), rule));
        }
        if let Some(&first) = ids.get(&second.client_id) {
            let rule =
                "A new token of an app kills its earlier one, so each app is configured once: take one out";
            let (first_place, second_place) = (&apis[first].1.api, &second_places.api);
            return Err(twice(first_place, second_place, second.client_id.as_str(), rule));
        }
        ids_in_any_case.entry(id).or_insert(index);
        secrets.entry(secret).or_insert(index);
        names.insert(&second.name, index);
        ids.insert(&second.client_id, index);
    }
    Ok(())
}

/// A value whose case does not matter, without a copy of it.
#[derive(Clone, Copy)]
struct AnyCase<'a>(&'a str);

impl Ord for AnyCase<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        self.0.bytes().map(lower).cmp(other.0.bytes().map(lower))
    }
}

impl PartialOrd for AnyCase<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for AnyCase<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for AnyCase<'_> {}
