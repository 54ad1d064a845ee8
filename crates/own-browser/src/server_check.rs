//! Checks whether this installation's `vega-server` listens at a redirect URI. If so, it receives the code for the process that
//! waits for it, and nobody else has to listen. The server must prove what it is: a program that only claims to be it would get
//! the code.

use vega_domain::account::RedirectUri;
use vega_domain::ports::ListenerProof;
use vega_listening::{Listener, who_listens};

use crate::addresses::addresses;

/// Whether one listens at the redirect URI; if not, why a code cannot come back. `taken` says why Vega itself does not listen.
pub(crate) async fn takes_codes_at(
    uri: &RedirectUri,
    proof: &dyn ListenerProof,
    taken: String,
) -> Result<(), String> {
    let Ok(addresses) = addresses(uri) else {
        return Err(taken);
    };
    let mut is_ours = false;
    // Browsers go to any of them.
    for address in addresses {
        match who_listens(address, proof).await {
            Listener::Ours => is_ours = true,
            Listener::Nobody => {}
            Listener::Another => return Err(taken),
            stranger @ Listener::Unproven => return Err(format!("{stranger} listens at {address}")),
        }
    }
    if is_ours { Ok(()) } else { Err(taken) }
}
