//! Chooses the proxy for Vega's own calls to Upstox: the one of the setting, otherwise that of `HTTPS_PROXY` (or
//! `https_proxy`), as most programs read it. `HTTP_PROXY` and `ALL_PROXY` are for other purposes. The browser follows
//! its own rules.
//!
//! The setting is Vega's own, so an invalid one is refused at the start. The variable belongs to the machine: a value
//! that Vega cannot use blocks the calls that should go through the proxy, and nothing else.

use vega_upstox::Proxy;

use crate::settings::environment::Environment;
use crate::settings::known_keys;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;
use crate::settings::values;

const KEY: &str = "network.proxy";

/// Small letters come first, as with curl.
const VARIABLES: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// Both are used: if either asks for no proxy, its author wants no proxy.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy in force, if there is one.
pub(crate) fn proxy(sources: &Sources, environment: &Environment) -> Result<Option<Proxy>, SettingsError> {
    let text = |name: &str| {
        let text = environment.get(name)?.to_string_lossy().trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let (url, named_by) = match sources.setting(KEY, values::proxy)? {
        Some(wanted) => (wanted.map(Ok), KEY.to_owned()),
        None => match VARIABLES.iter().find_map(|name| Some((*name, text(name)?))) {
            None => return Ok(None),
            Some((name, value)) => {
                let read = values::proxy(&value).map_err(|problem| {
                    format!(
                        "{:?}, which {problem}. {} comes before it",
                        values::without_password(&value),
                        known_keys::variable(KEY)
                    )
                });
                (read.transpose(), name.to_owned())
            }
        },
    };
    let except: Vec<String> = EXCEPTIONS.iter().filter_map(|name| text(name)).collect();
    Ok(url.map(|url| Proxy {
        url,
        named_by,
        except: except.join(","),
    }))
}

/// The text that is shown for the proxy, and its source.
pub(crate) fn shown(proxy: Option<&Proxy>, sources: &Sources) -> (String, String) {
    let origin = sources.origin(KEY);
    match proxy {
        None => ("none".into(), origin),
        Some(proxy) => {
            let address = match &proxy.url {
                Ok(url) => values::shown(url).trim_end_matches('/').to_owned(),
                Err(problem) => format!("unusable: {problem}"),
            };
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
            (format!("{address}{except}"), origin)
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The proxy from these variables, with the text that is shown for it.
    fn of(variables: &[(&str, &str)]) -> Result<(Option<Proxy>, String), SettingsError> {
        let home = tempfile::tempdir().unwrap();
        let place = [("HOME", home.path().to_str().unwrap())];
        let environment = Environment::made_of(&[&place, variables].concat(), home.path());
        let sources = Sources::read(&environment)?;
        let proxy = proxy(&sources, &environment)?;
        let (value, origin) = shown(proxy.as_ref(), &sources);
        Ok((proxy, format!("{value} ({origin})")))
    }

    #[rstest]
    #[case::nothing(&[], "none")]
    #[case::blank(&[("HTTPS_PROXY", "  "), ("https_proxy", "")], "none")]
    #[case::the_variable(&[("HTTPS_PROXY", "http://a.example:1")], "http://a.example:1 (the environment (HTTPS_PROXY))")]
    #[case::blank_counts_as_unset(
        &[("https_proxy", " "), ("HTTPS_PROXY", "a.example:1")],
        "http://a.example:1 (the environment (HTTPS_PROXY))"
    )]
    #[case::small_letters_first(
        &[("https_proxy", "b.example:2"), ("HTTPS_PROXY", "a.example:1")],
        "http://b.example:2 (the environment (https_proxy))"
    )]
    #[case::other_variables(&[("http_proxy", "a.example:1"), ("ALL_PROXY", "a.example:1")], "none")]
    #[case::the_setting_wins(
        &[("HTTPS_PROXY", "a.example:1"), ("VEGA__NETWORK__PROXY", "http://c.example:3")],
        "http://c.example:3"
    )]
    #[case::the_setting_says_none(&[("HTTPS_PROXY", "a.example:1"), ("VEGA__NETWORK__PROXY", "none")], "none")]
    #[case::none_over_an_unusable_one(&[("HTTPS_PROXY", "socks5://a:1"), ("VEGA__NETWORK__PROXY", "none")], "none")]
    #[case::both_exceptions(
        &[("HTTPS_PROXY", "a.example:1"), ("NO_PROXY", "x.example"), ("no_proxy", "y.example")],
        "http://a.example:1, but for y.example,x.example"
    )]
    #[case::unusable(&[("HTTPS_PROXY", "socks5://a.example:1")], r#"unusable: "socks5://a.example:1", which is no proxy"#)]
    #[case::unusable_keeps_its_password(
        &[("https_proxy", "http://me:CANARY@a.example:1")],
        r#"unusable: "http://…@a.example:1", which holds a name or a password"#
    )]
    fn the_proxy_in_force(#[case] variables: &[(&str, &str)], #[case] expected: &str) {
        let (_, shown) = of(variables).unwrap();
        assert!(shown.starts_with(expected), "{shown}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }

    #[test]
    fn a_wrong_setting_is_refused_and_a_wrong_variable_is_not() {
        let wrong = "ftp://a.example:1";
        assert!(of(&[("VEGA__NETWORK__PROXY", wrong)]).is_err());
        let (proxy, _) = of(&[("HTTPS_PROXY", wrong)]).unwrap();
        assert!(proxy.unwrap().url.is_err());
    }
}
