//! Port: how one program of this installation proves to another that it, and nobody else, listens at an address.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerAddress {
    /// At a port.
    Network(SocketAddr),
    /// At a socket in the file system, by its full path without links.
    Socket(PathBuf),
}

impl From<SocketAddr> for ListenerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Network(address)
    }
}

/// Answers challenges, and knows right answers. Both sides hold the root key.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait ListenerProof: Send + Sync {
    /// The answer to `challenge` of whoever listens at `address`. MUST need the root key, and MUST be of no use at
    /// another address or for another challenge (`an_answer_is_right_for_its_challenge_at_its_address_under_its_key`).
    /// MUST tell nothing of what the key seals (`its_key_is_not_the_fingerprints`).
    fn answer(&self, challenge: &str, address: &ListenerAddress) -> String;

    /// Whether `answer` is that answer. Takes as long for a wrong one, wherever it is wrong.
    fn is_right(&self, challenge: &str, address: &ListenerAddress, answer: &str) -> bool;
}
