//! Takes the address that the server listens on, or says who has it and what to do.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpListener;

/// Why the server has no address.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {}", why(.address, .source))]
pub(crate) struct CannotListen {
    address: SocketAddr,
    source: Error,
}

pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, CannotListen> {
    if !address.ip().is_loopback() {
        let source = Error::new(
            ErrorKind::Unsupported,
            "this address is not of this machine alone",
        );
        return Err(CannotListen { address, source });
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| CannotListen { address, source })
}

fn why(address: &SocketAddr, error: &Error) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "another program has this address, perhaps a vega-server that runs already. \
             Stop it (on Linux `ss -ltnp 'sport = :{port}'` shows which program it is), \
             or set VEGA__SERVER__LISTEN to another address"
        ),
        ErrorKind::Unsupported => "others could reach it there, and read keys and tokens on their way. \
             Set VEGA__SERVER__LISTEN to a loopback address, such as 127.0.0.1:28020, and let a reverse proxy with TLS stand \
             before it where it must be reached from elsewhere"
            .into(),
        ErrorKind::AddrNotAvailable => "this machine has no such address. \
             Set VEGA__SERVER__LISTEN to one that it has, such as 127.0.0.1:28020"
            .into(),
        ErrorKind::PermissionDenied => format!(
            "this user may not take port {port}. Set VEGA__SERVER__LISTEN to a port from 1024 up, \
             such as 127.0.0.1:28020"
        ),
        _ => format!("{error}. Check the network, or set VEGA__SERVER__LISTEN to another address"),
    }
}
