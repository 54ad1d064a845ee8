//! What stands between a connection and the first byte that is read of it: who may connect at all, and TLS. Whether an address may
//! be listened at with it is decided by the program.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::tls::ServerTls;

/// How the connections of a listener are.
#[derive(Clone, Default)]
pub struct Transport {
    /// In plain text without it.
    pub tls: Option<ServerTls>,
    /// From where connections are taken; from everywhere without it.
    pub peers: Option<AllowedPeers>,
}

/// The addresses from which connections are taken: every other one is closed before its first byte is read.
#[derive(Clone)]
pub struct AllowedPeers {
    networks: Arc<[IpNet]>,
    on_refused: Arc<dyn Fn(IpAddr) + Send + Sync>,
}

impl AllowedPeers {
    /// Those in `networks`. `on_refused` is told of each other one.
    pub fn new(networks: &[IpNet], on_refused: impl Fn(IpAddr) + Send + Sync + 'static) -> Self {
        Self {
            networks: networks.into(),
            on_refused: Arc::new(on_refused),
        }
    }

    /// Whether a connection from there is taken.
    pub(crate) fn admit(&self, peer: IpAddr) -> bool {
        // A socket for both kinds of addresses writes IPv4 in the other kind.
        let peer = peer.to_canonical();
        let is_allowed = self.networks.iter().any(|network| network.contains(&peer));
        if !is_allowed {
            (self.on_refused)(peer);
        }
        is_allowed
    }
}

/// How a listener is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In plain text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As a URL begins, without `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that URLs leave out.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn peers_are_taken_from_their_networks_alone_however_they_are_written() {
        let networks: Vec<IpNet> = ["10.0.0.5/32", "192.168.7.0/24", "fd00::/8"]
            .map(|network| network.parse().unwrap())
            .into();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&refused);
        let peers = AllowedPeers::new(&networks, move |peer| told.lock().unwrap().push(peer.to_string()));
        let admits = |peer: &str| peers.admit(peer.parse().unwrap());
        assert!(
            ["10.0.0.5", "192.168.7.255", "fd12::1", "::ffff:10.0.0.5"]
                .into_iter()
                .all(admits)
        );
        assert!(
            !["10.0.0.6", "127.0.0.1", "::1", "::ffff:127.0.0.1"]
                .into_iter()
                .any(admits)
        );
        assert_eq!(
            *refused.lock().unwrap(),
            ["10.0.0.6", "127.0.0.1", "::1", "127.0.0.1"]
        );
    }
}
