//! Which proxy Vega's own calls to Upstox go through: the setting's, else that of `HTTPS_PROXY` (or `https_proxy`), as most
//! programs read it. `HTTP_PROXY` and `ALL_PROXY` are about other things. The browser follows its own rules.

use vega_upstox::Proxy;

use crate::environment::Environment;
use crate::known_keys;
use crate::settings_error::SettingsError;
use crate::sources::Sources;
use crate::values;

const KEY: &str = "network.proxy";

/// The small letters come first, as with curl.
const VARIABLES: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy in force, if there is one.
pub(crate) fn proxy(sources: &Sources, environment: &Environment) -> Result<Option<Proxy>, SettingsError> {
    let text = |name: &str| Some(environment.get(name)?.to_string_lossy().trim().to_owned());
    let (wanted, named_by) = match sources.setting(KEY, values::proxy)? {
        Some(wanted) => (wanted, KEY.to_owned()),
        None => match VARIABLES.iter().find_map(|name| Some((*name, text(name)?))) {
            None => return Ok(None),
            Some((name, value)) => {
                let wanted = values::proxy(&value).map_err(|problem| SettingsError::WrongValue {
                    name: name.into(),
                    place: format!("the environment ({} comes before it)", known_keys::variable(KEY)),
                    value: values::without_password(&value),
                    problem,
                })?;
                (wanted, name.to_owned())
            }
        },
    };
    let except = EXCEPTIONS.iter().find_map(|name| text(name)).unwrap_or_default();
    Ok(wanted.map(|url| Proxy {
        url,
        named_by,
        except,
    }))
}

/// What is shown of it, and where it came from.
pub(crate) fn shown(proxy: Option<&Proxy>, sources: &Sources) -> (String, String) {
    let origin = sources.origin(KEY);
    match proxy {
        None => ("none".into(), origin),
        Some(proxy) => {
            let url = values::shown(&proxy.url);
            let url = url.trim_end_matches('/');
            let except = if proxy.except.is_empty() {
                String::new()
            } else {
                format!(", but for {}", proxy.except)
            };
            let origin = if proxy.named_by == KEY {
                origin
            } else {
                format!("the environment ({})", proxy.named_by)
            };
            (format!("{url}{except}"), origin)
        }
    }
}
