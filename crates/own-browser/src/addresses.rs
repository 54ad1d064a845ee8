//! At which loopback addresses the codes of a redirect URI arrive.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Host;
use vega_domain::account::RedirectUri;

/// Where to listen for `uri` without a certificate, or why that is not possible.
pub(crate) fn plain_addresses(uri: &RedirectUri) -> Result<Vec<SocketAddr>, String> {
    match uri.url().scheme() {
        "http" => addresses(uri),
        _ => Err("the redirect URI is an https address, and Vega has no certificate for it".into()),
    }
}

/// Where browsers of this machine go for `uri`, or why others go there too.
pub(crate) fn addresses(uri: &RedirectUri) -> Result<Vec<SocketAddr>, String> {
    let url = uri.url();
    let port = url.port_or_known_default().unwrap_or_default();
    let ips = match url.host() {
        Some(Host::Domain("localhost")) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Some(Host::Ipv4(ip)) if ip.is_loopback() => vec![ip.into()],
        Some(Host::Ipv6(ip)) if ip.to_canonical().is_loopback() => vec![ip.to_canonical()],
        _ => return Err("the redirect URI is not an address of this machine alone".into()),
    };
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}
