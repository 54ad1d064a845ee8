//! Looks whether this installation's `vega-server` listens where a code comes back to: it then takes the code for whoever
//! waits for it, so nobody else has to listen. It must prove itself: who only says so would get the code.

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
