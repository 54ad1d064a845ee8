//! Warns of redirect URIs at this machine, in plain text, where the server is reached otherwise: what comes back from Upstox there
//! reaches nobody. Only accounts that sign in by the operator's own browser need it: Vega's window takes codes from its address bar.

use std::collections::BTreeMap;
use std::net::IpAddr;

use url::{Host, Url};
use vega_domain::account::Route;

use crate::settings::accounts::Configured;
use crate::settings::server_section::ServerSection;

/// One for each redirect URI, with the APIs that have it and what to register.
pub(crate) fn warnings(server: &ServerSection, accounts: &[Configured]) -> Vec<String> {
    let listens_in_plain_text_here = server.tls.is_none() && is_of_this_machine(server.listen.ip());
    if listens_in_plain_text_here {
        return Vec::new();
    }
    let mut lost = BTreeMap::<&Url, Vec<&str>>::new();
    let accounts = accounts.iter().map(|configured| &configured.account);
    for account in accounts.filter(|account| account.route == Route::OwnBrowser) {
        for api in &account.apis {
            let uri = api.redirect_uri.url();
            // At another port Vega listens itself, while a sign-in waits.
            if is_plain_loopback(uri) && uri.port_or_known_default() == Some(server.listen.port()) {
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
            "codes of sign-ins for {apis} come back to {uri}, and vega-server listens at {at}: it does not get them. Register \
             {instead} with Upstox and put it in the place of that redirect URI (UPSTOX_REDIRECT_URI, or redirect_uri in \
             vega.toml)",
            apis = apis.join(", "),
            at = server.listens_at(),
        )
    };
    lost.into_iter().map(words).collect()
}

fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
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
    const URI: &str = "UPSTOX_REDIRECT_URI";

    #[rstest]
    #[case::tls(&[OWN_BROWSER, CERT, KEY], "https://vega.example/api/v1/auth/upstox/callback, and set VEGA__SERVER__PUBLIC_URL")]
    #[case::tls_with_a_name(&[OWN_BROWSER, CERT, KEY, NAME], "Register https://vega.example/api/v1/auth/upstox/callback with Upstox")]
    #[case::elsewhere(&[OWN_BROWSER, NAME, PROXY, ELSEWHERE], "vega-server listens at http://192.168.1.5:28020")]
    #[case::path(&[OWN_BROWSER, CERT, KEY, NAME, (URI, "http://127.0.0.1:28020/cb")], "Register https://vega.example/cb with")]
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
