//! The `Host` and `Origin` values that this server accepts: loopback names, its public name, its own one and the hosts of redirect URIs. Against
//! DNS rebinding: a name that another site resolves to this machine is none of them.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};
use vega_bootstrap::{Scheme, ServerSection, Settings};

/// The list; compared exactly, but for the case of letters.
#[derive(Debug)]
pub(crate) struct AllowedHosts {
    hosts: Vec<AllowedHost>,
    /// The paths of the redirect URIs that lead here.
    redirects: Vec<String>,
}

/// One of them, and how browsers come there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AllowedHost {
    name: String,
    scheme: &'static str,
}

impl AllowedHosts {
    /// For a server that listens at `address`.
    pub(crate) fn of(address: SocketAddr, settings: &Settings) -> Self {
        let server = &settings.server;
        let mut list = Self {
            hosts: Vec::new(),
            redirects: Vec::new(),
        };
        let (scheme, port) = (server.scheme(), address.port());
        list.add(scheme, &address.ip().to_string(), port);
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            for name in ["localhost", "127.0.0.1", "::1"] {
                list.add(scheme, name, port);
            }
        }
        for name in server.public_url.iter().chain(&server.own_url) {
            list.add_url(Scheme::Https, name);
        }
        for (_, api) in settings.accounts.apis() {
            let url = api.redirect_uri.url();
            if leads_here(url, address, server)
                && let Some(scheme) = scheme_of(url)
            {
                list.add_url(scheme, url);
                list.redirects.push(url.path().to_owned());
            }
        }
        list.hosts.sort();
        list.hosts.dedup();
        list
    }

    fn add_url(&mut self, scheme: Scheme, url: &Url) {
        if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
            self.add(scheme, host, port);
        }
    }

    fn add(&mut self, scheme: Scheme, host: &str, port: u16) {
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let mut insert = |name| {
            self.hosts.push(AllowedHost {
                name,
                scheme: scheme.as_str(),
            });
        };
        insert(format!("{host}:{port}"));
        if port == scheme.default_port() {
            insert(host);
        }
    }

    /// Whether a redirect URI of this server has this path.
    pub(crate) fn takes_redirects_at(&self, path: &str) -> bool {
        self.redirects.iter().any(|redirect| redirect == path)
    }

    /// As one that is reached over TLS, where it is reached in plain text too: that is the stricter one.
    fn find(&self, host: &str) -> Option<&AllowedHost> {
        self.hosts
            .iter()
            .rev()
            .find(|known| known.name.eq_ignore_ascii_case(host))
    }

    /// Whether a `Host` is allowed.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        self.find(host).is_some()
    }

    /// Whether browsers come to this `Host` over TLS, of this server or of a proxy before it.
    pub(crate) fn is_over_tls(&self, host: &str) -> bool {
        self.find(host)
            .is_some_and(|known| known.scheme == Scheme::Https.as_str())
    }

    /// Whether an `Origin` is allowed.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        let parts = origin.split_once("://");
        parts.is_some_and(|(scheme, host)| self.find(host).is_some_and(|known| known.scheme == scheme))
    }
}

fn scheme_of(url: &Url) -> Option<Scheme> {
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| scheme.as_str() == url.scheme())
}

/// Whether a browser that is sent there comes to this server: at its public name, or at its port of this machine.
fn leads_here(url: &Url, address: SocketAddr, server: &ServerSection) -> bool {
    let public = server.public_url.as_ref();
    if public.is_some_and(|public| public.origin() == url.origin()) {
        return true;
    }
    let is_at_port =
        url.scheme() == server.scheme().as_str() && url.port_or_known_default() == Some(address.port());
    // Over TLS the usual redirect has the usual port, at any site.
    let is_here = match url.host() {
        Some(Host::Domain(name)) => server.scheme() == Scheme::Http || name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback() || address.ip() == IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || address.ip() == IpAddr::V6(ip),
        None => false,
    };
    is_at_port && is_here
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_bootstrap::Environment;

    use super::*;

    fn hosts(variables: &[(&str, &str)]) -> AllowedHosts {
        let home = tempfile::tempdir().unwrap();
        let place = [
            ("HOME", home.path().to_str().unwrap()),
            ("UPSTOX_MOBILE_NUMBER", "9000000001"),
            ("UPSTOX_CLIENT_ID_0", "11111111-1111-1111-1111-111111111111"),
            ("UPSTOX_CLIENT_SECRET_0", "secretsecret"),
        ];
        let environment = Environment::made_of(&[&place, variables].concat(), home.path());
        let settings = Settings::load(&environment).unwrap();
        AllowedHosts::of(settings.server.listen, &settings)
    }

    const TLS: [(&str, &str); 2] = [
        ("VEGA__SERVER__TLS_CERT", "/desk.pem"),
        ("VEGA__SERVER__TLS_KEY", "/desk.key"),
    ];
    const PUBLIC: (&str, &str) = ("VEGA__SERVER__PUBLIC_URL", "https://vega.example");
    const OWN: (&str, &str) = ("VEGA__SERVER__OWN_URL", "https://desk1.example:8443");
    const REDIRECT: &str = "UPSTOX_REDIRECT_URI";

    #[rstest]
    #[case::of_this_machine(&[], &["127.0.0.1:28020", "LOCALHOST:28020", "[::1]:28020"],
        &["127.0.0.1", "127.0.0.1:28021", "vega.example", "evil.example:28020", "192.168.1.5:28020", ""])]
    #[case::of_an_address(&[("VEGA__SERVER__LISTEN", "192.168.1.5:443"), TLS[0], TLS[1]],
        &["192.168.1.5:443", "192.168.1.5"], &["127.0.0.1:443", "localhost", "192.168.1.6"])]
    #[case::of_all_addresses(&[("VEGA__SERVER__LISTEN", "0.0.0.0:8443"), TLS[0], TLS[1]],
        &["127.0.0.1:8443", "localhost:8443"], &["192.168.1.5:8443", "localhost"])]
    #[case::of_a_name(&[PUBLIC], &["vega.example", "vega.example:443", "127.0.0.1:28020"],
        &["vega.example:28020", "www.vega.example", "vega.example.", "vega.example:80"])]
    #[case::of_a_name_of_its_own(&[PUBLIC, OWN], &["vega.example", "desk1.example:8443"], &["desk1.example", "desk2.example:8443"])]
    #[case::of_a_redirect(&[(REDIRECT, "http://desk.example:28020/cb")], &["desk.example:28020"], &["desk.example"])]
    #[case::of_a_redirect_elsewhere(&[(REDIRECT, "https://desk.example/cb")], &[], &["desk.example"])]
    #[case::of_a_redirect_to_another_site(&[(REDIRECT, "https://other.example/cb"), ("VEGA__SERVER__LISTEN", "0.0.0.0:443"), TLS[0], TLS[1]],
        &["localhost"], &["other.example", "other.example:443"])]
    #[case::of_a_redirect_in_the_clear(&[(REDIRECT, "http://desk.example:28020/cb"), TLS[0], TLS[1]], &[], &["desk.example:28020"])]
    fn a_host_is_one_of_an_exact_list(
        #[case] variables: &[(&str, &str)],
        #[case] allowed: &[&str],
        #[case] refused: &[&str],
    ) {
        let hosts = hosts(variables);
        for host in allowed {
            assert!(hosts.has_host(host), "{host}: {hosts:?}");
        }
        for host in refused {
            assert!(!hosts.has_host(host), "{host}: {hosts:?}");
        }
    }

    #[rstest]
    #[case::plain(&[], &["http://127.0.0.1:28020"], &["https://127.0.0.1:28020", "null", "127.0.0.1:28020"])]
    #[case::tls(&TLS, &["https://localhost:28020"], &["http://localhost:28020"])]
    #[case::behind_a_proxy(&[PUBLIC], &["https://vega.example", "http://localhost:28020"],
        &["http://vega.example", "https://localhost:28020", "https://vega.example.evil.example"])]
    #[case::by_its_own_name(&[PUBLIC, OWN], &["https://desk1.example:8443", "https://vega.example"],
        &["http://desk1.example:8443", "https://desk1.example"])]
    fn an_origin_has_the_scheme_of_its_host(
        #[case] variables: &[(&str, &str)],
        #[case] allowed: &[&str],
        #[case] refused: &[&str],
    ) {
        let hosts = hosts(variables);
        for origin in allowed {
            assert!(hosts.has_origin(origin), "{origin}: {hosts:?}");
        }
        for origin in refused {
            assert!(!hosts.has_origin(origin), "{origin}: {hosts:?}");
        }
    }

    #[test]
    fn redirects_come_to_the_name_too() {
        let both = [PUBLIC, (REDIRECT, "https://vega.example/cb")];
        assert!(hosts(&both).takes_redirects_at("/cb"));
        let other = [PUBLIC, (REDIRECT, "https://vega.example:8443/cb")];
        assert!(!hosts(&other).takes_redirects_at("/cb"));
        assert!(hosts(&both).is_over_tls("vega.example"));
        assert!(!hosts(&both).is_over_tls("127.0.0.1:28020"));
        assert!(hosts(&[PUBLIC, OWN]).is_over_tls("desk1.example:8443"));
        let in_both_ways = [
            ("VEGA__SERVER__PUBLIC_URL", "https://desk.example:28020"),
            (REDIRECT, "http://desk.example:28020/cb"),
        ];
        assert!(hosts(&in_both_ways).is_over_tls("desk.example:28020"));
    }
}
