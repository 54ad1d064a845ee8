//! How Vega's programs listen: connections and their limits, who may connect, TLS, which one is closed when there are too many, and
//! which program listens at an address, and how one is called at its socket. What is answered there is the caller's.

mod caller_program;
mod certificate;
mod connection_slots;
mod expiry;
mod holder;
mod local_socket;
mod serve;
mod socket_client;
mod tls;
mod transport;
mod unread_body;
mod who;

pub use certificate::{TlsError, TlsFiles};
#[cfg(unix)]
pub use connection_slots::allow_many_files;
pub use connection_slots::{ConnectionSlots, Limits, Peer};
pub use holder::{Holder, holder_of};
pub use local_socket::{Admits, LocalCaller, LocalSocket};
pub use serve::{Answers, AtOnce, CalledAt, Door, serve, serve_at};
pub use socket_client::{SocketAnswer, SocketConnection};
pub use tls::ServerTls;
pub use transport::{AllowedPeers, Scheme, Transport};
pub use who::{CHALLENGE, Listener, who_listens};
