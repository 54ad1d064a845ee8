//! Checks whether this installation's `vega-server` listens at a redirect URI. If so, it receives the code for the process that
//! waits for it, and nobody else has to listen. The server must prove what it is: a program that only claims to be it would get
//! the code.

use vega_domain::account::RedirectUri;
use vega_domain::ports::ListenerProof;
use vega_listening::{Listener, Scheme, who_listens};

use crate::addresses::addresses;
use crate::settings::ServerPlace;

/// Whether one listens at the redirect URI; if not, why a code cannot come back. `taken` says why Vega itself does not listen.
pub(crate) async fn takes_codes_at(
    uri: &RedirectUri,
    server: &ServerPlace,
    proof: &dyn ListenerProof,
    taken: String,
) -> Result<(), String> {
    if server.is_named_by(uri) {
        return is_there(uri, server, proof).await;
    }
    let Ok(addresses) = addresses(uri) else {
        return Err(taken);
    };
    let scheme = match uri.url().scheme() {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let mut is_ours = false;
    // Browsers go to any of them.
    for address in addresses {
        match who_listens(address, scheme, proof).await {
            Listener::Ours => is_ours = true,
            Listener::Nobody => {}
            Listener::Another => return Err(taken),
            stranger @ Listener::Unproven => return Err(format!("{stranger} listens at {address}")),
        }
    }
    if is_ours { Ok(()) } else { Err(taken) }
}

/// What comes to the server's name comes to it, if it runs: whoever answers there has a certificate for that name. Where it cannot be
/// asked it is taken for running: the address of a page that did not open can still be pasted.
async fn is_there(uri: &RedirectUri, server: &ServerPlace, proof: &dyn ListenerProof) -> Result<(), String> {
    let Some(address) = server.address else {
        return Ok(());
    };
    match who_listens(address, server.scheme, proof).await {
        Listener::Ours => Ok(()),
        Listener::Nobody if server.is_one_of_several => Ok(()),
        listener => Err(format!(
            "codes for {uri} come to `vega-server`, and {listener} listens at {address}, where it is to be"
        )),
    }
}
