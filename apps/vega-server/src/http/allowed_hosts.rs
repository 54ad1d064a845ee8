//! By which names this server may be called. A page of another site that gets a name of its own to resolve here (DNS
//! rebinding) does not know one of these, and neither does its `Origin`.

use std::net::SocketAddr;

use vega_bootstrap::Settings;

/// The exact list.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: Vec<String>,
    /// The paths of the redirect URIs that lead here.
    redirects: Vec<String>,
}

impl Names {
    /// Of a server that listens at `address`: the loopback names, and the redirect URIs that lead to it.
    pub(crate) fn of(address: SocketAddr, settings: &Settings) -> Self {
        let port = address.port();
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .map(|name| format!("{name}:{port}"))
            .collect();
        hosts.push(address.to_string());
        let mut redirects = Vec::new();
        let accounts = settings.accounts.iter();
        for api in accounts.flat_map(|account| &account.apis) {
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

    /// Whether Upstox sends browsers back to this path.
    pub(crate) fn takes_redirects_at(&self, path: &str) -> bool {
        self.redirects.iter().any(|redirect| redirect == path)
    }

    /// Whether `Host` is one of them.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether `Origin` is one of them.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        origin
            .strip_prefix("http://")
            .is_some_and(|host| self.has_host(host))
    }
}
