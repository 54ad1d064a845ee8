//! The settings in force, each with its source; secrets never with their value.

use std::path::PathBuf;

use vega_domain::account::{Account, Api};
use vega_persistence::KeySource;

use crate::settings::accounts::{ApiPlaces, Configured};
use crate::settings::files;
use crate::settings::known_keys::FILES;
use crate::settings::network;
use crate::settings::sources::Sources;
use crate::settings::values;
use crate::settings::{EffectiveSetting, Settings};

/// All of them, in a fixed order.
pub(crate) fn effective(
    settings: &Settings,
    accounts: &[Configured],
    sources: &Sources,
) -> Vec<EffectiveSetting> {
    let path = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(
            || "found on the path".to_owned(),
            |path| path.display().to_string(),
        )
    };
    let file =
        |path: Option<&PathBuf>| path.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let time = |duration| humantime::format_duration(duration).to_string();
    let url = settings.browser.webdriver_url.as_ref();
    let (proxy, proxy_from) = network::shown(settings.proxy.as_ref(), sources);
    let [
        tls_cert,
        tls_key,
        public_url,
        own_url,
        proxies,
        streams_per_caller,
    ] = settings.server.shown();
    let [socket, socket_group] = settings.socket.shown();
    let sections = [
        ("upstox.api_base_url", values::shown(&settings.api_base_url)),
        ("network.proxy", proxy),
        ("database.url", values::database(&settings.database_url)),
        ("database.password_file", file(settings.password_file.as_ref())),
        ("database.ca", file(settings.database_place.ca.as_ref())),
        ("key_file", settings.key_source.path().display().to_string()),
        ("browser.headless", settings.browser.headless.to_string()),
        ("browser.binary", path(&settings.browser.binary)),
        ("browser.chromedriver", path(&settings.browser.chromedriver)),
        (
            "browser.webdriver_url",
            url.map_or_else(|| "none".to_owned(), values::shown),
        ),
        ("sign_in.route", settings.route.to_string()),
        ("sign_in.otp_budget", settings.otp_budget.presses.to_string()),
        ("sign_in.otp_window", time(settings.otp_budget.window)),
        ("sign_in.cooldown", time(settings.cooldown)),
        ("sign_in.human_timeout", time(settings.human_timeout)),
        (
            "verification.parallel",
            settings.verification_parallel.to_string(),
        ),
        ("verification.timeout", time(settings.verification_timeout)),
        ("verification.at", settings.verification_at.to_string()),
        ("server.listen", settings.server.listen.to_string()),
        tls_cert,
        tls_key,
        public_url,
        own_url,
        proxies,
        socket,
        socket_group,
        streams_per_caller,
        ("server.log_format", settings.log_format.to_string()),
    ];
    let mut all: Vec<EffectiveSetting> = places(sources).into();
    all.extend(sections.into_iter().map(|(key, value)| EffectiveSetting {
        key: key.into(),
        value,
        source: match settings.key_source {
            KeySource::Credential { .. } if key == "key_file" => "systemd credential".into(),
            _ if key == "network.proxy" => proxy_from.clone(),
            _ => sources.origin(key),
        },
    }));
    let files = settings.files.iter().enumerate();
    let files = files.map(|(index, file)| (format!("{FILES}[{index}]"), files::shown(file)));
    all.extend(settings.socket.shown_rules().chain(files).map(|(key, value)| {
        EffectiveSetting {
            key,
            value,
            source: sources
                .toml()
                .map_or_else(String::new, |file| file.path.display().to_string()),
        }
    }));
    for configured in accounts {
        all.extend(of_account(configured, sources));
        for (api, places) in configured.account.apis.iter().zip(&configured.api_places) {
            all.extend(of_api(&configured.account, api, places));
        }
    }
    all
}

/// The files from which the settings were read.
fn places(sources: &Sources) -> [EffectiveSetting; 2] {
    let places = &sources.places;
    let named = places.named_env_file.as_ref();
    [
        (
            "config_dir",
            places.config_dir.display().to_string(),
            places.config_dir_named_by,
        ),
        (
            "env_file",
            named.map_or_else(|| "none".to_owned(), |(path, _)| path.display().to_string()),
            named.map(|(_, by)| *by),
        ),
    ]
    .map(|(key, value, by)| EffectiveSetting {
        key: key.into(),
        value,
        source: by.unwrap_or("default").into(),
    })
}

fn of_account(configured: &Configured, sources: &Sources) -> [EffectiveSetting; 3] {
    let account = &configured.account;
    let user = account
        .user_id
        .as_ref()
        .map_or_else(|| "not pinned".to_owned(), ToString::to_string);
    let route_place = configured.route_place.clone();
    [
        (
            "mobile_number",
            account.mobile_number.to_string(),
            configured.mobile_place.clone(),
        ),
        ("user_id", user, or_default(configured.user_place.as_ref())),
        (
            "route",
            account.route.to_string(),
            route_place.unwrap_or_else(|| sources.origin("sign_in.route")),
        ),
    ]
    .map(|(key, value, source)| EffectiveSetting {
        key: format!("{}.{key}", account.id),
        value,
        source,
    })
}

fn of_api(account: &Account, api: &Api, places: &ApiPlaces) -> [EffectiveSetting; 3] {
    [
        ("client_id", api.client_id.to_string(), Some(&places.client_id)),
        ("client_secret", "set".to_owned(), Some(&places.client_secret)),
        (
            "redirect_uri",
            api.redirect_uri.to_string(),
            places.redirect_uri.as_ref(),
        ),
    ]
    .map(|(key, value, place)| EffectiveSetting {
        key: format!("{}.{}.{key}", account.id, api.name),
        value,
        source: or_default(place),
    })
}

fn or_default(place: Option<&String>) -> String {
    place.map_or_else(|| "default".to_owned(), Clone::clone)
}
