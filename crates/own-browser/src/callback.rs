//! Listens at loopback redirect URIs while sign-ins wait, and answers with a plain page. Requests are not logged: their
//! query holds the code.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use vega_domain::account::RedirectUri;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{ListenerProof, StoreError};
use vega_listening::{ConnectionSlots, Peer, Scheme, serve};

use crate::addresses::plain_addresses;
use crate::code_receiver::{CodeReceiver, Received};
use crate::settings::ServerPlace;
use crate::{result_page, server_check};

/// The last page gets so long to reach its browser.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Routes, to be merged into a server.
pub type CallbackRouter = Router;

/// How the browser came, an extension of its request: whoever serves knows it, and behind a proxy by the name alone. Plain text where
/// nobody says.
#[derive(Debug, Clone, Copy)]
pub struct CalledOver(pub Scheme);

/// Routes for the redirect URIs `uris`, to be merged into a server of this machine: take codes, show the page. What comes
/// to their paths by another address, another host name included, is not found. That server MUST be `without_v07_checks`: a
/// redirect URI may have `:` and `*` in its path, where older routers had captures.
pub fn callback_router(receiver: Arc<CodeReceiver>, uris: Vec<RedirectUri>) -> CallbackRouter {
    let paths: BTreeSet<String> = uris.iter().map(|uri| uri.url().path().to_owned()).collect();
    let callback = Callback::new(receiver, Arc::default());
    *callback.uris() = uris;
    let router = paths
        .iter()
        .fold(Router::new().without_v07_checks(), |router, path| {
            router.route(path, only_get(arrived))
        });
    router.with_state(Arc::new(callback))
}

/// Answers GET alone: a HEAD, which browsers send to look ahead, must not use anything up.
pub(crate) fn only_get<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    get(handler).head(async || StatusCode::METHOD_NOT_ALLOWED)
}

/// Told of what arrives.
#[derive(Default)]
pub(crate) struct News {
    /// A code was sealed.
    pub(crate) taken: Notify,
    /// A redirect was refused.
    pub(crate) refused: Notify,
    /// What a redirect brought could not be stored.
    pub(crate) lost: watch::Sender<Option<Failure>>,
}

struct Callback {
    receiver: Arc<CodeReceiver>,
    uris: Mutex<Vec<RedirectUri>>,
    news: Arc<News>,
}

impl Callback {
    fn new(receiver: Arc<CodeReceiver>, news: Arc<News>) -> Self {
        Self {
            receiver,
            uris: Mutex::default(),
            news,
        }
    }

    fn uris(&self) -> MutexGuard<'_, Vec<RedirectUri>> {
        self.uris.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expects(&self, url: &Url) -> bool {
        self.uris().iter().any(|uri| uri.is_reached_by(url))
    }

    /// Takes what `url` brings, and tells of it.
    async fn receive(&self, url: &Url) -> Result<Received, StoreError> {
        let received = self.receiver.receive(url).await;
        match &received {
            // Told to the sign-in that waits now, and kept for none after it.
            Ok(received) if received.is_refused() => self.news.refused.notify_waiters(),
            Ok(_) => self.news.taken.notify_one(),
            Err(error) => {
                tracing::error!(%error, "a code came back and could not be stored");
                let failure = Failure::new(FailureReason::Storage, error.to_string());
                self.news.lost.send_replace(Some(failure));
            }
        }
        received
    }
}

async fn arrived(
    State(callback): State<Arc<Callback>>,
    peer: Option<Extension<Peer>>,
    over: Option<Extension<CalledOver>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    // By its full address, host included: a page elsewhere that resolves here by name is not meant.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = over
        .map_or(Scheme::Http, |Extension(CalledOver(scheme))| scheme)
        .as_str();
    let url = host.and_then(|host| Url::parse(&format!("{scheme}://{host}{uri}")).ok());
    let Some(url) = url.filter(|url| callback.expects(url)) else {
        let words = "Vega waits for a sign-in to end here, at another address than this one.";
        return result_page::page(StatusCode::NOT_FOUND, "Not found", words);
    };
    // A browser that hangs up meanwhile must not take the code along: an OTP was spent on it.
    let received = tokio::spawn(async move { callback.receive(&url).await }).await;
    let Ok(Ok(received)) = received else {
        let words = "Vega could not store what this page brought, and its log says why. Nothing was exchanged; sign in \
                     again when the database takes changes.";
        return result_page::page(StatusCode::SERVICE_UNAVAILABLE, "Not stored", words);
    };
    if !received.is_refused()
        && let Some(Extension(peer)) = peer
    {
        peer.is_known_now();
    }
    result_page::of(&received)
}

/// Listens at the redirect URIs of one session, until it is closed or dropped.
pub(crate) struct CallbackListener {
    callback: Arc<Callback>,
    bound: Vec<SocketAddr>,
    serving: JoinSet<()>,
    /// However many redirect URIs there are.
    slots: ConnectionSlots,
    stop: DropGuard,
}

impl CallbackListener {
    /// Listens nowhere yet.
    pub(crate) fn new(receiver: Arc<CodeReceiver>, news: Arc<News>) -> Self {
        Self {
            callback: Arc::new(Callback::new(receiver, news)),
            bound: Vec::new(),
            serving: JoinSet::new(),
            slots: ConnectionSlots::default(),
            stop: CancellationToken::new().drop_guard(),
        }
    }

    /// Takes the addresses of `uri` that it does not have yet, or says why nobody can listen there.
    pub(crate) async fn listen_at(&mut self, uri: &RedirectUri) -> Result<(), String> {
        for (address, listener) in bind(uri, &self.bound).await? {
            self.bound.push(address);
            self.serve(listener);
        }
        let mut uris = self.callback.uris();
        if !uris.contains(uri) {
            uris.push(uri.clone());
        }
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let router = Router::new().fallback(only_get(arrived));
        let router = router.with_state(Arc::clone(&self.callback));
        let (slots, stop) = (self.slots.clone(), self.stop.token().clone());
        self.serving.spawn(serve(listener, router, slots, stop));
    }

    /// Ends it, after the pages under way were delivered.
    pub(crate) async fn close(mut self) {
        drop(self.stop);
        let all_end = async { while self.serving.join_next().await.is_some() {} };
        // Whoever is not done by then is cut off when the set is dropped.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, all_end).await;
    }
}

/// Takes the addresses of `uri` and gives them back, or finds this installation's `vega-server` there, which takes codes for
/// whoever waits; or says why the code cannot come back by itself.
pub async fn prove_callback(
    uri: &RedirectUri,
    server: &ServerPlace,
    proof: &dyn ListenerProof,
) -> Result<(), String> {
    match bind(uri, &[]).await {
        Err(taken) => server_check::takes_codes_at(uri, server, proof, taken).await,
        Ok(_) => Ok(()),
    }
}

/// Takes the addresses of `uri` that are not among those bound already.
async fn bind(uri: &RedirectUri, bound: &[SocketAddr]) -> Result<Vec<(SocketAddr, TcpListener)>, String> {
    let mut stands = false;
    let mut listeners = Vec::new();
    for address in plain_addresses(uri)? {
        if bound.contains(&address) {
            stands = true;
            continue;
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                listeners.push((address, listener));
                stands = true;
            }
            Err(error) if stands && is_missing_here(&error) => {}
            Err(error) => return Err(why(address.port(), &error)),
        }
    }
    Ok(listeners)
}

/// Whether an address that cannot be taken does no harm beside one that was: a machine has no IPv6, or it is switched off.
/// One that another program has does: the browser may go there.
fn is_missing_here(error: &std::io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
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

    /// Numbers of Linux. The last one has no kind of its own.
    #[rstest]
    #[case::in_use(98, false)]
    #[case::not_allowed(13, false)]
    #[case::no_such_address(99, true)]
    #[case::ipv6_is_switched_off(97, true)]
    fn an_address_that_this_machine_lacks_is_not_missed(#[case] number: i32, #[case] is_missing: bool) {
        let error = std::io::Error::from_raw_os_error(number);
        assert_eq!(is_missing_here(&error), is_missing, "{error}");
    }

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
        let found = plain_addresses(&RedirectUri::new(uri).unwrap()).unwrap_or_default();
        let found: Vec<String> = found.iter().map(SocketAddr::to_string).collect();
        assert_eq!(found, expected);
    }
}
