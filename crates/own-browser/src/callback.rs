//! Listens at loopback redirect URIs while sign-ins wait, and answers with a plain page. Requests are not logged: their
//! query holds the code.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};
use vega_domain::account::RedirectUri;

use crate::code_receiver::CodeReceiver;
use crate::result_page;

/// The last page gets so long to reach its browser.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves the redirect URIs `uris`: takes codes, shows the page. Any other address is not found, be it another path or
/// another host name.
pub fn callback_router(receiver: Arc<CodeReceiver>, uris: Vec<RedirectUri>) -> Router {
    router(Arc::new(Callback {
        receiver,
        uris: Mutex::new(uris),
        news: Arc::default(),
    }))
}

/// Told of what arrives.
#[derive(Default)]
pub(crate) struct News {
    /// A code was sealed.
    pub(crate) taken: Notify,
    /// A redirect was refused.
    pub(crate) refused: Notify,
}

struct Callback {
    receiver: Arc<CodeReceiver>,
    uris: Mutex<Vec<RedirectUri>>,
    news: Arc<News>,
}

impl Callback {
    fn expects(&self, url: &Url) -> bool {
        let uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
        uris.iter().any(|uri| uri.is_reached_by(url))
    }
}

fn router(callback: Arc<Callback>) -> Router {
    Router::new().fallback(get(arrived)).with_state(callback)
}

async fn arrived(State(callback): State<Arc<Callback>>, headers: HeaderMap, uri: Uri) -> Response {
    // By its full address, host included: a page elsewhere that resolves here by name is not meant.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let url = host.and_then(|host| Url::parse(&format!("http://{host}{uri}")).ok());
    let Some(url) = url.filter(|url| callback.expects(url)) else {
        let words = "Vega waits for a sign-in to end here, at another address than this one.";
        return result_page::page(StatusCode::NOT_FOUND, "Not found", words);
    };
    match callback.receiver.receive(&url).await {
        Ok(received) => {
            if received.is_refused() {
                callback.news.refused.notify_one();
            } else {
                callback.news.taken.notify_one();
            }
            result_page::of(&received)
        }
        Err(error) => {
            tracing::error!(%error, "a code came back and could not be stored");
            let words = "Vega could not store what this page brought; its terminal says why. Reload this page to try \
                         again.";
            result_page::page(StatusCode::SERVICE_UNAVAILABLE, "Not stored", words)
        }
    }
}

/// Listens at one port of this machine.
pub(crate) struct CallbackListener {
    port: u16,
    callback: Arc<Callback>,
    stop: CancellationToken,
    serving: Vec<JoinHandle<()>>,
}

impl CallbackListener {
    /// Takes the address of `uri`, or says why nobody can listen there.
    pub(crate) async fn at(
        uri: &RedirectUri,
        receiver: Arc<CodeReceiver>,
        news: Arc<News>,
    ) -> Result<Self, String> {
        let addresses = addresses(uri)?;
        let mut listeners = Vec::new();
        for address in &addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // A machine without IPv6 still has the other one.
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable && !listeners.is_empty() => {}
                Err(error) => return Err(why(address.port(), &error)),
            }
        }
        let callback = Arc::new(Callback {
            receiver,
            uris: Mutex::new(vec![uri.clone()]),
            news,
        });
        let stop = CancellationToken::new();
        let serving = listeners.into_iter().map(|listener| {
            let serve = axum::serve(listener, router(Arc::clone(&callback)));
            let serve = serve.with_graceful_shutdown(stop.clone().cancelled_owned());
            tokio::spawn(async move {
                if let Err(error) = serve.await {
                    tracing::warn!(%error, "the listener at the redirect URI ended");
                }
            })
        });
        let serving = serving.collect();
        Ok(Self {
            port: uri.url().port_or_known_default().unwrap_or_default(),
            callback,
            stop,
            serving,
        })
    }

    /// Serves `uri` too, if it is at this port.
    pub(crate) fn serves(&self, uri: &RedirectUri) -> bool {
        if addresses(uri).is_err() || uri.url().port_or_known_default() != Some(self.port) {
            return false;
        }
        let mut uris = self.callback.uris.lock().unwrap_or_else(PoisonError::into_inner);
        if !uris.contains(uri) {
            uris.push(uri.clone());
        }
        true
    }

    /// Ends it, after the pages under way were delivered.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        for serving in self.serving {
            let abort = serving.abort_handle();
            if tokio::time::timeout(CLOSE_TIMEOUT, serving).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// Where to listen for `uri`, or why that is not possible.
fn addresses(uri: &RedirectUri) -> Result<Vec<SocketAddr>, String> {
    let url = uri.url();
    if url.scheme() != "http" {
        return Err("the redirect URI is an https address, and Vega has no certificate for it".into());
    }
    let port = url.port_or_known_default().unwrap_or_default();
    let ips = match url.host() {
        Some(Host::Domain("localhost")) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Some(Host::Ipv4(ip)) if ip.is_loopback() => vec![ip.into()],
        Some(Host::Ipv6(ip)) if ip.is_loopback() => vec![ip.into()],
        _ => return Err("the redirect URI is not an address of this machine alone".into()),
    };
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

fn why(port: u16, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!("another program listens at port {port}"),
        ErrorKind::PermissionDenied => format!("this user may not listen at port {port}"),
        _ => format!("nobody can listen at port {port}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://localhost:28020/cb", &["127.0.0.1:28020", "[::1]:28020"])]
    #[case("http://127.0.0.1/cb", &["127.0.0.1:80"])]
    #[case("http://127.1.2.3:8/cb", &["127.1.2.3:8"])]
    #[case("http://[::1]:28020/cb", &["[::1]:28020"])]
    #[case::with_certificate("https://localhost:28020/cb", &[])]
    #[case::another_machine("http://192.168.1.9:28020/cb", &[])]
    #[case::a_name("http://desk.example:28020/cb", &[])]
    #[case::all_of_them("http://0.0.0.0:28020/cb", &[])]
    fn only_loopback_addresses_are_listened_at(#[case] uri: &str, #[case] expected: &[&str]) {
        let found = addresses(&RedirectUri::new(uri).unwrap()).unwrap_or_default();
        let found: Vec<String> = found.iter().map(SocketAddr::to_string).collect();
        assert_eq!(found, expected);
    }
}
