//! Takes the address that the server listens on, or says who has it and what to do.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;
use tokio::net::TcpListener;
use vega_bootstrap::Settings;

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

/// The same port on IPv6, if redirect URIs lead to `localhost` at it: browsers go to `::1` first, and a code must not meet
/// another program there. `None` where this machine has no such address.
pub(crate) async fn bind_twin(
    address: SocketAddr,
    settings: &Settings,
) -> Result<Option<TcpListener>, CannotListen> {
    let accounts = settings.accounts.iter();
    let mut uris = accounts
        .flat_map(|account| &account.apis)
        .map(|api| api.redirect_uri.url());
    let leads_here = |url: &url::Url| {
        url.host_str() == Some("localhost") && url.port_or_known_default() == Some(address.port())
    };
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) || !uris.any(leads_here) {
        return Ok(None);
    }
    let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    match TcpListener::bind(twin).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) if matches!(source.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            Err(CannotListen {
                address: twin,
                source,
            })
        }
        Err(_) => Ok(None),
    }
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
             Set VEGA__SERVER__LISTEN to a loopback address, such as 127.0.0.1:28020; from elsewhere it can be reached through \
             ssh (`ssh -L 28020:127.0.0.1:28020 HOST`)"
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
