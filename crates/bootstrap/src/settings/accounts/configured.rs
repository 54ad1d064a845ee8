//! An account with the places where it was configured, and the code that both ways of configuring an account share.

use vega_domain::InvalidValue;
use vega_domain::account::{Account, RedirectUri};
use vega_domain::reading::tidied;
use vega_domain::secret::ClientSecret;

use crate::settings::settings_error::SettingsError;
use crate::settings::values;

const DEFAULT_REDIRECT_URI: &str = "http://localhost:28020/api/v1/auth/upstox/callback";

/// An account and where it was configured.
pub(crate) struct Configured {
    pub(crate) account: Account,
    pub(crate) place: String,
    pub(crate) mobile_place: String,
    pub(crate) user_place: Option<String>,
    /// `None` if the account uses the route of all accounts.
    pub(crate) route_place: Option<String>,
    /// One for each API, in the order of the APIs.
    pub(crate) api_places: Vec<ApiPlaces>,
}

/// Where the parts of an API were configured.
pub(crate) struct ApiPlaces {
    /// The API itself.
    pub(crate) api: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// `None` if it is the default.
    pub(crate) redirect_uri: Option<String>,
}

pub(super) fn default_redirect_uri() -> Result<RedirectUri, SettingsError> {
    RedirectUri::new(DEFAULT_REDIRECT_URI).map_err(|problem| wrong("redirect_uri", "the defaults", problem))
}

/// Reads a redirect URI; a refusal never repeats the password that may be in it.
pub(super) fn redirect_uri(text: &str) -> Result<RedirectUri, InvalidValue> {
    RedirectUri::read(text).map_err(|refused| {
        let (whole, told) = (
            format!("{:?}", tidied(text)),
            format!("{:?}", values::without_password(&tidied(text))),
        );
        InvalidValue {
            problem: refused.problem.replace(&whole, &told),
            ..refused
        }
    })
}

/// Reads a secret that was found at `place`.
pub(super) fn secret(text: &str, place: &str) -> Result<ClientSecret, SettingsError> {
    ClientSecret::read(text).map_err(|problem| SettingsError::WrongSecret {
        place: place.into(),
        problem,
    })
}

pub(super) fn both(first: &str, second: &str) -> SettingsError {
    SettingsError::Both {
        first: first.into(),
        second: second.into(),
    }
}

pub(super) fn wrong(name: &str, place: &str, problem: InvalidValue) -> SettingsError {
    SettingsError::Value {
        name: name.into(),
        place: place.into(),
        problem,
    }
}

pub(super) fn missing(name: &str, needed_by: &str) -> SettingsError {
    SettingsError::Missing {
        name: name.into(),
        needed_by: needed_by.into(),
    }
}
