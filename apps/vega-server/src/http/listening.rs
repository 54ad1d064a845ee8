//! Binds the listening address: a loopback one, unless TLS or named proxies let others in. Waits up to a minute for an address in
//! use, and half a minute for one that this machine does not have yet; the error names the process that holds it and what to do.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::Instant;
use vega_bootstrap::{ServerSection, Settings};
use vega_listening::{AllowedPeers, Holder, ServerTls, Transport, holder_of};

use crate::server::Server;

/// How long an address in use is waited for: its holder may be about to end, as a server does before an update.
const WAITS: Duration = Duration::from_mins(1);
/// How long an address is waited for that this machine does not have: when it boots, an interface may come up late.
const WAITS_FOR_INTERFACE: Duration = Duration::from_secs(30);
const TRY_EVERY: Duration = Duration::from_millis(500);

/// The address could not be bound.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {}", why(.address, .source, .holder))]
pub(crate) struct CannotListen {
    address: SocketAddr,
    source: Error,
    /// Who has the address, if it is in use.
    holder: Holder,
}

impl CannotListen {
    /// Whether it may be otherwise at another try, although no setting was changed.
    pub(crate) fn may_pass(&self) -> bool {
        self.source.kind() == ErrorKind::AddrNotAvailable
    }
}

pub(crate) async fn bind(server: &ServerSection) -> Result<TcpListener, CannotListen> {
    if let Some(lacks) = server.lacks() {
        return Err(refused(server.listen, Error::new(ErrorKind::Unsupported, lacks)));
    }
    bind_with_retries(server.listen, WAITS_FOR_INTERFACE).await
}

/// Why it cannot be listened at `address`.
pub(crate) fn refused(address: SocketAddr, source: Error) -> CannotListen {
    let holder = match source.kind() {
        ErrorKind::AddrInUse => holder_of(address),
        _ => Holder::Unknown,
    };
    CannotListen {
        address,
        source,
        holder,
    }
}

/// Binds, and retries while the address is in use, or for so long while this machine does not have it.
async fn bind_with_retries(
    address: SocketAddr,
    waits_for_interface: Duration,
) -> Result<TcpListener, CannotListen> {
    retry(address, waits_for_interface, TcpListener::bind).await
}

async fn retry(
    address: SocketAddr,
    waits_for_interface: Duration,
    bind: impl AsyncFn(SocketAddr) -> std::io::Result<TcpListener>,
) -> Result<TcpListener, CannotListen> {
    let began = Instant::now();
    let mut told = None;
    loop {
        let source = match bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(source) => source,
        };
        let kind = source.kind();
        let waits = match kind {
            ErrorKind::AddrInUse => WAITS,
            ErrorKind::AddrNotAvailable => waits_for_interface,
            _ => Duration::ZERO,
        };
        if began.elapsed() >= waits {
            return Err(refused(address, source));
        }
        if told.replace(kind) != Some(kind) {
            let seconds = waits.as_secs();
            if kind == ErrorKind::AddrInUse {
                let holder = holder_of(address);
                tracing::warn!("{holder} has {address}. Vega waits up to {seconds} s for it to end");
            } else {
                tracing::warn!(
                    "this machine has no address {} yet. Vega waits up to {seconds} s for it",
                    address.ip()
                );
            }
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Puts on record that connections were refused; those from before there was a record, as soon as there is one.
#[derive(Default)]
pub(crate) struct Refused {
    server: OnceLock<Arc<Server>>,
    /// Each in its words once.
    before: Mutex<BTreeSet<String>>,
}

/// In the same words for all of them: they take no place in the trail from refusals of other kinds.
const NO_PROXY: &str = "it came from none of the proxies (VEGA__SERVER__PROXIES)";

impl Refused {
    pub(crate) fn add(&self, why: String) {
        tracing::debug!(why, "a connection is closed before its first byte is read");
        match self.server.get() {
            Some(server) => server.audit_refusal(why),
            None => {
                self.before().insert(why);
            }
        }
    }

    fn before(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on there is a record.
    pub(crate) fn record_at(&self, server: &Arc<Server>) {
        let is_first = self.server.set(Arc::clone(server)).is_ok();
        if is_first {
            for why in std::mem::take(&mut *self.before()) {
                server.audit_refusal(why);
            }
        }
    }
}

/// How connections are taken. Whoever is no proxy, where there are some, goes on record.
pub(crate) fn transport(
    section: &ServerSection,
    tls: Option<ServerTls>,
    refused: &Arc<Refused>,
) -> Transport {
    let proxies = &section.proxies;
    let peers = (!proxies.is_empty()).then(|| {
        let refused = Arc::clone(refused);
        AllowedPeers::new(proxies, move |_| refused.add(NO_PROXY.into()))
    });
    Transport { tls, peers }
}

/// Binds the same port of `::1` if a redirect URI leads to `localhost` at it: browsers try `::1` first, and a code must not
/// reach another program there. `None` if this machine has no such address.
pub(crate) async fn bind_ipv6_loopback(
    address: SocketAddr,
    settings: &Settings,
) -> Result<Option<TcpListener>, CannotListen> {
    let mut uris = settings.accounts.apis().map(|(_, api)| api.redirect_uri.url());
    let leads_here = |url: &url::Url| {
        url.host_str() == Some("localhost") && url.port_or_known_default() == Some(address.port())
    };
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) || !uris.any(leads_here) {
        return Ok(None);
    }
    let on_ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    match bind_with_retries(on_ipv6, Duration::ZERO).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => match error.source.kind() {
            ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Err(error),
            _ => Ok(None),
        },
    }
}

fn why(address: &SocketAddr, error: &Error, holder: &Holder) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{holder} has this address{perhaps}, and did not give it up within a minute. \
             Stop it (on Linux `ss -ltnp 'sport = :{port}'` shows which program it is), \
             or set VEGA__SERVER__LISTEN to another address",
            perhaps = match holder {
                Holder::Process { .. } => "",
                Holder::OfUser { .. } | Holder::Unknown => " (perhaps a vega-server that runs already)",
            }
        ),
        ErrorKind::Unsupported => error.to_string(),
        ErrorKind::AddrNotAvailable => "this machine has no such address, and none came up. \
             Start Vega again when its network is up, or set VEGA__SERVER__LISTEN to an address that it has, such as \
             127.0.0.1:28020"
            .into(),
        ErrorKind::PermissionDenied => format!(
            "this user may not take port {port}. Set VEGA__SERVER__LISTEN to a port from 1024 up, \
             such as 127.0.0.1:28020"
        ),
        _ => format!("{error}. Check the network, or set VEGA__SERVER__LISTEN to another address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_port_that_stays_taken_is_given_up_after_a_minute_and_whoever_has_it_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let began = Instant::now();
        let refused = bind_with_retries(address, Duration::ZERO).await.unwrap_err();
        assert!(
            (WAITS..WAITS * 2).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
        let words = refused.to_string();
        let who = if cfg!(target_os = "linux") {
            format!("(process {}) has this address", std::process::id())
        } else {
            "another program has this address".into()
        };
        assert!(words.contains(&who), "{words}");
        assert!(words.contains("VEGA__SERVER__LISTEN"), "{words}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_is_given_up_meanwhile_is_taken() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let ends = async {
            tokio::time::sleep(WAITS / 2).await;
            drop(taken);
        };
        let (bound, ()) = tokio::join!(bind_with_retries(address, Duration::ZERO), ends);
        assert_eq!(bound.unwrap().local_addr().unwrap(), address);
    }

    /// For documentation only (RFC 5737): no machine has it.
    const NOWHERE: &str = "192.0.2.1:28020";

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_come_up_is_waited_for_and_may_come_later() {
        let began = Instant::now();
        let refused = bind_with_retries(NOWHERE.parse().unwrap(), WAITS_FOR_INTERFACE)
            .await
            .unwrap_err();
        let waited = began.elapsed();
        assert!(
            (WAITS_FOR_INTERFACE..WAITS_FOR_INTERFACE * 2).contains(&waited),
            "{waited:?}"
        );
        assert!(refused.may_pass(), "{refused}");
        assert!(
            refused.to_string().contains("this machine has no such address"),
            "{refused}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_comes_up_late_is_taken() {
        let began = Instant::now();
        let late = async |address: SocketAddr| {
            let is_up = began.elapsed() > WAITS_FOR_INTERFACE / 2;
            let there = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            TcpListener::bind(if is_up { there } else { address }).await
        };
        let bound = retry(NOWHERE.parse().unwrap(), WAITS_FOR_INTERFACE, late).await;
        assert!(bound.is_ok(), "{bound:?}");
    }
}
