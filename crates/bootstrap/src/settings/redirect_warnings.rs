//! Warns of redirect URIs at this machine, in plain text, where the server is reached otherwise: what comes back from Upstox there
//! reaches nobody. Only accounts that sign in by the operator's own browser need it: Vega's window takes codes from its address bar.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};
use vega_domain::account::Route;

use crate::settings::accounts::Configured;
use crate::settings::server_section::ServerSection;

/// One for each redirect URI, with the APIs that have it and what to register.
pub(crate) fn warnings(server: &ServerSection, accounts: &[Configured]) -> Vec<String> {
    let is_in_plain_text = server.tls.is_none();
    let lets_in = server.lets_in(server.local_address().ip());
    let reaches_it = |uri: &Url| is_in_plain_text && lets_in && leads_to(uri, server.listen.ip());
    let mut lost = BTreeMap::<&Url, Vec<&str>>::new();
    let accounts = accounts.iter().map(|configured| &configured.account);
    for account in accounts.filter(|account| account.route == Route::OwnBrowser) {
        for api in &account.apis {
            let uri = api.redirect_uri.url();
            // At another port Vega listens itself, while a sign-in waits.
            let is_its_port = uri.port_or_known_default() == Some(server.listen.port());
            if is_plain_loopback(uri) && is_its_port && !reaches_it(uri) {
                lost.entry(uri).or_default().push(api.name.as_str());
            }
        }
    }
    let words = |(uri, apis): (&Url, Vec<&str>)| {
        let path = uri.path();
        let instead = match &server.public_url {
            Some(_) => format!("{}{path}", server.url()),
            None => format!(
                "an address with the server's name, such as https://vega.example{path}, and set VEGA__SERVER__PUBLIC_URL to that \
                 name,"
            ),
        };
        format!(
            "codes of sign-ins for {apis} come back to {uri}, and vega-server listens at {at}{alone}: it does not get them. Register \
             {instead} with Upstox and put it in the place of that redirect URI (UPSTOX_REDIRECT_URI, or redirect_uri in \
             vega.toml)",
            apis = apis.join(", "),
            at = server.listens_at(),
            alone = if lets_in { "" } else { ", for its proxies alone" },
        )
    };
    lost.into_iter().map(words).collect()
}

/// Whether a browser of this machine that opens this address reaches a listener at that one. A server at 127.0.0.1 listens at `[::1]` too.
fn leads_to(uri: &Url, listener: IpAddr) -> bool {
    let asked = match uri.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.to_canonical(),
        _ => return listener.is_loopback() || listener.is_unspecified(),
    };
    let is_first_loopback = listener == IpAddr::V4(Ipv4Addr::LOCALHOST);
    asked == listener
        || listener.is_unspecified()
        || (is_first_loopback && asked == IpAddr::V6(Ipv6Addr::LOCALHOST))
}

fn is_plain_loopback(uri: &Url) -> bool {
    let is_loopback = match uri.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    };
    uri.scheme() == "http" && is_loopback
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::settings::Settings;
    use crate::settings::environment::Environment;

    fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let place = [
            ("HOME", home.path().to_str().unwrap()),
            ("UPSTOX_MOBILE_NUMBER", "9000000001"),
            ("UPSTOX_CLIENT_ID_0", "11111111-1111-1111-1111-111111111111"),
            ("UPSTOX_CLIENT_SECRET_0", "secretsecret"),
            ("UPSTOX_CLIENT_ID_1", "11111111-1111-1111-1111-111111111112"),
            ("UPSTOX_CLIENT_SECRET_1", "othersecret"),
        ];
        let environment = Environment::made_of(&[&place, variables].concat(), home.path());
        Settings::load(&environment).unwrap().warnings
    }

    const OWN_BROWSER: (&str, &str) = ("VEGA__SIGN_IN__ROUTE", "own-browser");
    const CERT: (&str, &str) = ("VEGA__SERVER__TLS_CERT", "/desk.pem");
    const KEY: (&str, &str) = ("VEGA__SERVER__TLS_KEY", "/desk.key");
    const NAME: (&str, &str) = ("VEGA__SERVER__PUBLIC_URL", "https://vega.example");
    const PROXY: (&str, &str) = ("VEGA__SERVER__PROXIES", "192.168.1.6");
    const ELSEWHERE: (&str, &str) = ("VEGA__SERVER__LISTEN", "192.168.1.5:28020");
    const HERE: (&str, &str) = (URI, "http://127.0.0.1:28020/cb");
    const URI: &str = "UPSTOX_REDIRECT_URI";

    #[rstest]
    #[case::tls(&[OWN_BROWSER, CERT, KEY], "https://vega.example/api/v1/auth/upstox/callback, and set VEGA__SERVER__PUBLIC_URL")]
    #[case::tls_with_a_name(&[OWN_BROWSER, CERT, KEY, NAME], "Register https://vega.example/api/v1/auth/upstox/callback with Upstox")]
    #[case::elsewhere(&[OWN_BROWSER, NAME, PROXY, ELSEWHERE], "vega-server listens at http://192.168.1.5:28020")]
    #[case::shut_out(&[OWN_BROWSER, NAME, PROXY], "http://127.0.0.1:28020, for its proxies alone: it does not get them")]
    #[case::another_family(&[OWN_BROWSER, HERE, ("VEGA__SERVER__LISTEN", "[::1]:28020")], "listens at http://[::1]:28020: it")]
    #[case::path(&[OWN_BROWSER, CERT, KEY, NAME, HERE], "Register https://vega.example/cb with")]
    fn a_redirect_that_does_not_reach_the_server_is_told_with_what_to_register(
        #[case] variables: &[(&str, &str)],
        #[case] words: &str,
    ) {
        let told = warnings(variables);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(words), "{told:?}");
        assert!(
            told[0].contains("PRIMARY, WEBSOCKET1 come back to http://"),
            "{told:?}"
        );
    }

    #[rstest]
    #[case::of_this_machine(&[OWN_BROWSER])]
    #[case::behind_a_proxy_of_this_machine(&[OWN_BROWSER, NAME, ("VEGA__SERVER__PROXIES", "127.0.0.1")])]
    #[case::at_the_name(&[OWN_BROWSER, CERT, KEY, NAME, (URI, "https://vega.example/cb")])]
    #[case::over_tls(&[OWN_BROWSER, CERT, KEY, (URI, "https://localhost:28020/cb")])]
    #[case::another_port(&[OWN_BROWSER, CERT, KEY, (URI, "http://127.0.0.1:9/cb")])]
    #[case::in_vegas_window(&[CERT, KEY])]
    fn one_that_reaches_it_or_is_not_needed_is_not_warned_of(#[case] variables: &[(&str, &str)]) {
        assert_eq!(warnings(variables), Vec::<String>::new());
    }
}
