//! `KeyedProof`: what a server proves itself with, readable, and with a key that is a text.

use vega_domain::ports::{ListenerAddress, ListenerProof};

/// Two with one text know each other.
pub struct KeyedProof(pub &'static str);

impl ListenerProof for KeyedProof {
    fn answer(&self, challenge: &str, address: &ListenerAddress) -> String {
        let address = match address {
            ListenerAddress::Network(address) => address.to_string(),
            ListenerAddress::Socket(path) => format!("unix:{}", path.display()),
        };
        format!("{}/{challenge}/{address}", self.0)
    }

    fn is_right(&self, challenge: &str, address: &ListenerAddress, answer: &str) -> bool {
        self.answer(challenge, address) == answer
    }
}
