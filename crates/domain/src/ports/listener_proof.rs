//! Port: how one program of this installation proves to another that it, and nobody else, listens at an address.

use std::net::SocketAddr;

/// Answers challenges, and knows right answers. Both sides hold the root key.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait ListenerProof: Send + Sync {
    /// The answer to `challenge` of whoever listens at `address`. MUST need the root key, MUST be of no use at another address
    /// or for another challenge, and MUST tell nothing of what the key seals.
    fn answer(&self, challenge: &str, address: SocketAddr) -> String;

    /// Whether `answer` is that answer. MUST take as long for a wrong one, wherever it is wrong.
    fn is_right(&self, challenge: &str, address: SocketAddr, answer: &str) -> bool;
}
