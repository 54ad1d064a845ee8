//! `KeyedProof`: what a server proves itself with, readable, and with a key that is a text.

use std::net::SocketAddr;

use vega_domain::ports::ListenerProof;

/// Two with one text know each other.
pub struct KeyedProof(pub &'static str);

impl ListenerProof for KeyedProof {
    fn answer(&self, challenge: &str, address: SocketAddr) -> String {
        format!("{}/{challenge}/{address}", self.0)
    }

    fn is_right(&self, challenge: &str, address: SocketAddr, answer: &str) -> bool {
        self.answer(challenge, address) == answer
    }
}
