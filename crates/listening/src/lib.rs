//! How Vega's programs listen: connections and their limits, which one is closed when there are too many, and which program
//! listens at an address. What is answered there is the caller's.

mod connection_slots;
mod holder;
mod serve;
mod who;

pub use connection_slots::{ConnectionSlots, Limits, Peer};
pub use holder::{Holder, holder_of};
pub use serve::{AtOnce, CalledAt, serve, serve_with};
pub use who::{CHALLENGE, Listener, who_listens};
