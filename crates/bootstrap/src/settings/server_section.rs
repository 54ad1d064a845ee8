//! Where and how the server is reached: its address, TLS, the name under which others know it, and the proxies between. Decides which
//! of these need one another, and whether an address may be listened at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::Url;
use vega_listening::{Scheme, TlsFiles};
use vega_own_browser::ServerPlace;

use crate::settings::known_keys::variable;
use crate::settings::proxies;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;
use crate::settings::values;

const PUBLIC_URL: &str = "server.public_url";
const OWN_URL: &str = "server.own_url";
const PROXIES: &str = "server.proxies";
const TLS_CERT: &str = "server.tls_cert";
const TLS_KEY: &str = "server.tls_key";
const STREAMS_PER_CALLER: &str = "server.streams_per_caller";

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct ServerSection {
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// Certificate and key; plain text without them.
    pub tls: Option<TlsFiles>,
    /// The name under which others reach it: `https`, host and port.
    pub public_url: Option<Url>,
    /// The name of this server alone, where several have that one: people are sent there for the questions of a run.
    pub own_url: Option<Url>,
    /// From where alone connections are taken; from everywhere where it is empty.
    pub proxies: Vec<IpNet>,
    /// How many streams of tokens, and waits for them, one caller has at once. No caller has more than half of all places.
    pub streams_per_caller: usize,
}

impl ServerSection {
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let set = |key: &str| sources.origin(key);
        let needs = |key: &str, missing: &str| SettingsError::Missing {
            name: variable(missing),
            needed_by: format!("{key} is ({})", set(key)),
        };
        let certificate = sources.setting(TLS_CERT, values::path)?;
        let key = sources.setting(TLS_KEY, values::path)?;
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (Some(_), None) => return Err(needs(TLS_CERT, TLS_KEY)),
            (None, Some(_)) => return Err(needs(TLS_KEY, TLS_CERT)),
            (None, None) => None,
        };
        let public_url = sources.setting(PUBLIC_URL, values::public_url)?;
        let own_url = sources.setting(OWN_URL, values::public_url)?;
        if own_url.is_some() && public_url.is_none() {
            return Err(needs(OWN_URL, PUBLIC_URL));
        }
        let proxies = sources.setting(PROXIES, proxies::read)?.unwrap_or_default();
        if !proxies.is_empty() && public_url.is_none() {
            return Err(needs(PROXIES, PUBLIC_URL));
        }
        Ok(Self {
            listen: sources
                .setting("server.listen", values::listen_address)?
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 28020))),
            tls,
            public_url,
            own_url,
            proxies,
            streams_per_caller: sources.setting(STREAMS_PER_CALLER, values::count)?.unwrap_or(256),
        })
    }

    /// The texts that are shown for TLS, the names, the proxies and the streams, by their keys.
    pub(crate) fn shown(&self) -> [(&'static str, String); 6] {
        let none = || "none".to_owned();
        let file = |path: fn(&TlsFiles) -> &std::path::Path| {
            self.tls
                .as_ref()
                .map_or_else(none, |files| path(files).display().to_string())
        };
        let proxies: Vec<String> = self.proxies.iter().map(shown_network).collect();
        [
            (TLS_CERT, file(|files| &files.certificate)),
            (TLS_KEY, file(|files| &files.key)),
            (PUBLIC_URL, self.public_url.as_ref().map_or_else(none, origin_of)),
            (OWN_URL, self.own_url.as_ref().map_or_else(none, origin_of)),
            (
                PROXIES,
                if proxies.is_empty() {
                    none()
                } else {
                    proxies.join(",")
                },
            ),
            (STREAMS_PER_CALLER, self.streams_per_caller.to_string()),
        ]
    }

    /// How its listener is spoken to.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// Where a program of this machine reaches the listener.
    pub fn local_address(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }

    /// Where browsers and programs reach it, without a slash at the end: by its name if it has one.
    pub fn url(&self) -> String {
        match &self.public_url {
            Some(url) => origin_of(url),
            None => self.listens_at(),
        }
    }

    /// Where a program of this machine reaches the listener, as a URL without a slash at the end.
    pub(crate) fn listens_at(&self) -> String {
        format!("{}://{}", self.scheme().as_str(), self.local_address())
    }

    /// Where browsers reach this server and no other one that has the same name.
    pub fn own_url(&self) -> String {
        self.own_url.as_ref().map_or_else(|| self.url(), origin_of)
    }

    /// The same, if other machines reach it there.
    pub fn url_for_others(&self) -> Option<String> {
        let ip = self.listen.ip();
        let is_reached = self.public_url.is_some() || !ip.is_loopback() && !ip.is_unspecified();
        is_reached.then(|| self.own_url())
    }

    /// What must be set before anybody but this machine may connect, if something must.
    pub fn lacks(&self) -> Option<&'static str> {
        let is_reached_by_proxies_alone = self.public_url.is_some() && !self.proxies.is_empty();
        let may = self.listen.ip().is_loopback() || self.tls.is_some() || is_reached_by_proxies_alone;
        (!may).then_some(
            "others could reach it there, and read keys and tokens on their way. Set VEGA__SERVER__TLS_CERT and \
             VEGA__SERVER__TLS_KEY; or VEGA__SERVER__PUBLIC_URL and VEGA__SERVER__PROXIES, if a proxy with a certificate stands \
             before it; or set VEGA__SERVER__LISTEN to a loopback address, such as 127.0.0.1:28020, which ssh reaches from \
             elsewhere (`ssh -L 28020:127.0.0.1:28020 HOST`)",
        )
    }

    /// Whether connections from this address are taken.
    pub(crate) fn lets_in(&self, peer: IpAddr) -> bool {
        self.proxies.is_empty() || self.proxies.iter().any(|network| network.contains(&peer))
    }

    /// Where a server of this installation takes the codes of sign-ins.
    pub(crate) fn place(&self, database_url: &str) -> ServerPlace {
        let address = self.local_address();
        ServerPlace {
            scheme: self.scheme(),
            address: self.lets_in(address.ip()).then_some(address),
            public_url: self.public_url.clone(),
            is_one_of_several: !database_url.starts_with("sqlite:"),
        }
    }
}

/// Scheme, host and port, as browsers write an origin.
fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// One address without the length of its network.
fn shown_network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::settings::environment::Environment;

    fn of(variables: &[(&str, &str)]) -> Result<ServerSection, SettingsError> {
        let home = tempfile::tempdir().unwrap();
        let place = [("HOME", home.path().to_str().unwrap())];
        let environment = Environment::made_of(&[&place, variables].concat(), home.path());
        ServerSection::read(&Sources::read(&environment)?)
    }

    const LISTEN: &str = "VEGA__SERVER__LISTEN";
    const CERT: (&str, &str) = ("VEGA__SERVER__TLS_CERT", "/etc/vega/desk.pem");
    const KEY: (&str, &str) = ("VEGA__SERVER__TLS_KEY", "/etc/vega/desk.key");
    const NAME: (&str, &str) = ("VEGA__SERVER__PUBLIC_URL", "https://vega.desk.example");
    const OWN: (&str, &str) = ("VEGA__SERVER__OWN_URL", "https://desk1.example:8443");
    const PROXY: (&str, &str) = ("VEGA__SERVER__PROXIES", "10.0.0.5, 192.168.7.9/24");

    #[rstest]
    #[case::nothing(&[], true, "http://127.0.0.1:28020")]
    #[case::loopback(&[(LISTEN, "[::1]:9")], true, "http://[::1]:9")]
    #[case::elsewhere(&[(LISTEN, "192.168.1.5:9")], false, "http://192.168.1.5:9")]
    #[case::everywhere(&[(LISTEN, "0.0.0.0:9")], false, "http://127.0.0.1:9")]
    #[case::tls(&[(LISTEN, "0.0.0.0:9"), CERT, KEY], true, "https://127.0.0.1:9")]
    #[case::tls_with_a_name(&[(LISTEN, "[::]:443"), CERT, KEY, NAME], true, "https://vega.desk.example")]
    #[case::a_name_alone(&[(LISTEN, "0.0.0.0:9"), NAME], false, "https://vega.desk.example")]
    #[case::behind_proxies(&[(LISTEN, "0.0.0.0:9"), NAME, PROXY], true, "https://vega.desk.example")]
    #[case::behind_one_of_this_machine(&[NAME], true, "https://vega.desk.example")]
    fn only_tls_or_named_proxies_let_others_in(
        #[case] variables: &[(&str, &str)],
        #[case] may: bool,
        #[case] url: &str,
    ) {
        let server = of(variables).unwrap();
        assert_eq!(server.lacks().is_none(), may, "{server:?}");
        assert_eq!(server.url(), url);
    }

    #[rstest]
    #[case(&[CERT], "VEGA__SERVER__TLS_KEY is not set")]
    #[case(&[KEY], "VEGA__SERVER__TLS_CERT is not set")]
    #[case(&[PROXY], "VEGA__SERVER__PUBLIC_URL is not set")]
    #[case(&[OWN], "VEGA__SERVER__PUBLIC_URL is not set")]
    #[case(&[NAME, ("VEGA__SERVER__OWN_URL", "http://desk1.example")], "VEGA__SERVER__OWN_URL")]
    #[case(&[NAME, ("VEGA__SERVER__PROXIES", "desk.example")], "are no addresses")]
    #[case(&[NAME, ("VEGA__SERVER__PROXIES", "0.0.0.0/0")], "would let everybody in")]
    #[case(&[("VEGA__SERVER__PUBLIC_URL", "http://desk.example")], "VEGA__SERVER__PUBLIC_URL")]
    fn what_lets_nobody_in_or_everybody_is_refused(#[case] variables: &[(&str, &str)], #[case] words: &str) {
        let refused = of(variables).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }

    #[test]
    fn other_machines_are_sent_to_its_own_name_and_programs_to_the_shared_one() {
        let shared = of(&[NAME]).unwrap();
        assert_eq!(
            shared.url_for_others().as_deref(),
            Some("https://vega.desk.example")
        );
        let own = of(&[NAME, OWN]).unwrap();
        assert_eq!(
            own.url_for_others().as_deref(),
            Some("https://desk1.example:8443")
        );
        assert_eq!(own.own_url(), "https://desk1.example:8443");
        assert_eq!(own.url(), "https://vega.desk.example");
    }

    #[test]
    fn all_of_it_is_shown() {
        let server = of(&[CERT, KEY, NAME, OWN, PROXY]).unwrap();
        assert_eq!(
            server.shown(),
            [
                (TLS_CERT, "/etc/vega/desk.pem".to_owned()),
                (TLS_KEY, "/etc/vega/desk.key".to_owned()),
                (PUBLIC_URL, "https://vega.desk.example".to_owned()),
                (OWN_URL, "https://desk1.example:8443".to_owned()),
                (PROXIES, "10.0.0.5,192.168.7.0/24".to_owned()),
                (STREAMS_PER_CALLER, "256".to_owned()),
            ]
        );
    }
}
