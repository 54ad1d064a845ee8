//! Keeps the redirect inside Vega's own window: the browser is told that the host and port of every redirect URI of the
//! account do not exist. So the browser never sends the code to a program that listens there, and the code is only in
//! the address, where Vega reads it. This works for names, IPv4, IPv6, http and https; where the browser would use a
//! proxy, it is told to use none for these addresses.

use std::ffi::OsString;

use url::Url;
use vega_domain::account::{Account, RedirectUri};

/// The page that is shown in place of the redirect.
const DONE: &str = include_str!("done.html");

/// The ports that a browser may try for an address besides its own: browsers upgrade http to https by themselves.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// The addresses that the browser must never call, such as `localhost:28020`, each once. The dialog's own address stays
/// reachable.
fn addresses(account: &Account, dialog: &Url) -> Vec<String> {
    let mut addresses = Vec::new();
    for url in account.apis.iter().map(|api| api.redirect_uri.url()) {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            continue;
        };
        let both = if DEFAULT_PORTS.contains(&port) {
            &DEFAULT_PORTS[..]
        } else {
            &[port]
        };
        for port in both {
            let is_the_dialogs =
                dialog.host_str() == Some(host) && dialog.port_or_known_default() == Some(*port);
            let address = format!("{host}:{port}");
            if !is_the_dialogs && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    addresses
}

/// Chromium's argument for this; `None` if there is no address to keep.
pub(crate) fn argument(account: &Account, dialog: &Url) -> Option<String> {
    let rules = addresses(account, dialog)
        .iter()
        .map(|address| format!("MAP {address} ~NOTFOUND"))
        .collect::<Vec<_>>();
    (!rules.is_empty()).then(|| format!("--host-resolver-rules={}", rules.join(",")))
}

/// The driver's environment, changed so that no proxy is used for these addresses.
pub(crate) fn past_proxies(
    environment: &[(OsString, OsString)],
    account: &Account,
    dialog: &Url,
) -> Vec<(OsString, OsString)> {
    let is_exception = |name: &OsString| name.eq_ignore_ascii_case("no_proxy");
    let of_the_operator = environment.iter().find(|(name, _)| is_exception(name));
    let mut exceptions = of_the_operator
        .map(|(_, hosts)| hosts.clone())
        .unwrap_or_default();
    for address in addresses(account, dialog) {
        if !exceptions.is_empty() {
            exceptions.push(",");
        }
        exceptions.push(address);
    }
    let others = environment
        .iter()
        .filter(|(name, _)| !is_exception(name))
        .cloned();
    others.chain([("no_proxy".into(), exceptions)]).collect()
}

/// The address in its registered form: Chromium changes to https by itself if it knows that a site supports it.
pub(crate) fn as_registered(mut url: Url, registered: &RedirectUri) -> Url {
    let has_default_port = registered.url().port().is_none() && url.port().is_none();
    let upgraded = registered.url().scheme() == "http" && url.scheme() == "https";
    if upgraded && (has_default_port || registered.url().port() == url.port()) {
        // From https to http: both are special schemes, so it cannot fail.
        let _ = url.set_scheme("http");
    }
    url
}

/// The address of the page that tells the human that the sign-in for `api` is done.
pub(crate) fn done_page(api: &str) -> String {
    let html = DONE.replace("{api}", api);
    let encoded: String = url::form_urlencoded::byte_serialize(html.as_bytes()).collect();
    format!("data:text/html;charset=utf-8,{}", encoded.replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_domain::account::{Api, Route};
    use vega_domain::ids::{AccountId, ApiName, ClientId, MobileNumber};
    use vega_domain::secret::ClientSecret;

    use super::*;

    fn account(redirect_uris: &[&str]) -> Account {
        let api = |(at, uri): (usize, &&str)| Api {
            name: ApiName::new(format!("API{at}")).unwrap(),
            client_id: ClientId::new("key").unwrap(),
            client_secret: ClientSecret::new("CANARY"),
            redirect_uri: RedirectUri::new(*uri).unwrap(),
        };
        Account {
            id: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9876500001").unwrap(),
            user_id: None,
            route: Route::Webdriver,
            apis: redirect_uris.iter().enumerate().map(api).collect(),
        }
    }

    fn upstox() -> Url {
        Url::parse("https://api.upstox.com").unwrap()
    }

    #[rstest]
    #[case::one_for_all(&["http://localhost:28020/a", "http://localhost:28020/b?x=1"], "MAP localhost:28020 ~NOTFOUND")]
    #[case::several(
        &["http://127.0.0.1:5000/cb", "https://[::1]:5001/cb"],
        "MAP 127.0.0.1:5000 ~NOTFOUND,MAP [::1]:5001 ~NOTFOUND"
    )]
    #[case::http(&["http://desk.example/cb"], "MAP desk.example:80 ~NOTFOUND,MAP desk.example:443 ~NOTFOUND")]
    #[case::https(&["https://Desk.example/cb"], "MAP desk.example:80 ~NOTFOUND,MAP desk.example:443 ~NOTFOUND")]
    #[case::the_dialogs_own(&["https://api.upstox.com/cb"], "MAP api.upstox.com:80 ~NOTFOUND")]
    fn every_redirect_uri_leads_nowhere(#[case] uris: &[&str], #[case] rules: &str) {
        let expected = format!("--host-resolver-rules={rules}");
        assert_eq!(argument(&account(uris), &upstox()), Some(expected));
    }

    #[rstest]
    #[case::none(&[], "localhost:28020")]
    #[case::the_operators(&[("NO_PROXY", "intra.example")], "intra.example,localhost:28020")]
    fn no_proxy_is_asked(#[case] before: &[(&str, &str)], #[case] expected: &str) {
        let environment: Vec<_> = [&[("PATH", "/bin")], before]
            .concat()
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        let after = past_proxies(&environment, &account(&["http://localhost:28020/cb"]), &upstox());
        let expected = [("PATH", "/bin"), ("no_proxy", expected)].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(after, expected);
    }

    #[rstest]
    #[case::as_it_is(
        "http://desk.app/cb",
        "http://desk.app/cb?code=1",
        "http://desk.app/cb?code=1"
    )]
    #[case::upgraded(
        "http://desk.app/cb",
        "https://desk.app/cb?code=1",
        "http://desk.app/cb?code=1"
    )]
    #[case::with_port(
        "http://desk.app:90/cb",
        "https://desk.app:90/cb?code=1",
        "http://desk.app:90/cb?code=1"
    )]
    #[case::another_port(
        "http://desk.app:90/cb",
        "https://desk.app/cb?code=1",
        "https://desk.app/cb?code=1"
    )]
    #[case::never_downgraded(
        "https://desk.app/cb",
        "http://desk.app/cb?code=1",
        "http://desk.app/cb?code=1"
    )]
    fn an_upgrade_by_the_browser_is_seen_through(
        #[case] registered: &str,
        #[case] seen: &str,
        #[case] read: &str,
    ) {
        let registered = RedirectUri::new(registered).unwrap();
        assert_eq!(
            as_registered(Url::parse(seen).unwrap(), &registered).as_str(),
            read
        );
    }

    #[test]
    fn the_last_page_says_whose_sign_in_is_done() {
        let page = done_page("PRIMARY");
        assert!(
            page.contains("PRIMARY") && !page.contains(['<', ' ', '{', '+']),
            "{page}"
        );
    }
}
