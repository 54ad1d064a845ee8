//! The `Host` and `Origin` values that this server accepts: loopback names and the hosts of redirect URIs. Against DNS
//! rebinding: a name that another site resolves to this machine is none of them.

use std::net::SocketAddr;

use vega_bootstrap::Settings;

/// The list; compared exactly, but for the case of letters.
#[derive(Debug)]
pub(crate) struct AllowedHosts {
    hosts: Vec<String>,
    /// The paths of the redirect URIs that lead here.
    redirects: Vec<String>,
}

impl AllowedHosts {
    /// For a server that listens at `address`.
    pub(crate) fn of(address: SocketAddr, settings: &Settings) -> Self {
        let port = address.port();
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .map(|name| format!("{name}:{port}"))
            .collect();
        hosts.push(address.to_string());
        let mut redirects = Vec::new();
        for (_, api) in settings.accounts.apis() {
            let url = api.redirect_uri.url();
            if url.port_or_known_default() == Some(port)
                && let Some(host) = url.host_str()
            {
                hosts.push(format!("{host}:{port}"));
                redirects.push(url.path().to_owned());
            }
        }
        if port == 80 {
            let bare: Vec<String> = hosts
                .iter()
                .map(|host| host.trim_end_matches(":80").to_owned())
                .collect();
            hosts.extend(bare);
        }
        hosts.sort();
        hosts.dedup();
        Self { hosts, redirects }
    }

    /// Whether a redirect URI of this server has this path.
    pub(crate) fn takes_redirects_at(&self, path: &str) -> bool {
        self.redirects.iter().any(|redirect| redirect == path)
    }

    /// Whether a `Host` is allowed.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether an `Origin` is allowed.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        origin
            .strip_prefix("http://")
            .is_some_and(|host| self.has_host(host))
    }
}
