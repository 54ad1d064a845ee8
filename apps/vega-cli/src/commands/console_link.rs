//! `vega console`: a link that opens the console in a browser, once. Where the server of this installation does not listen
//! there is none: whoever else is given it could open the console, and nobody opens it in its minute. At a public name nobody is
//! asked: whoever answers there has a certificate for that name.

use vega_bootstrap::{Listener, Vega};
use vega_domain::access::LINK_LIFE;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega) -> Result<Exit, CommandError> {
    let server = &vega.settings.server;
    let is_named = server.public_url.is_some();
    if !is_named && let Some(problem) = not_there(vega).await {
        output::problem(&problem);
        return Ok(Exit::Preflight);
    }
    let code = vega.access.make_link().await?;
    // After the #, so that no browser sends it along as part of the address.
    output::data(&format!("{}/enter#{}", server.own_url(), code.expose()));
    output::say(&format!(
        "Open it in a browser{}: it works once, within {} s.",
        if is_named { "" } else { " on this machine" },
        LINK_LIFE.num_seconds()
    ));
    Ok(Exit::Ok)
}

/// Why there is nothing that a link would open, if so.
async fn not_there(vega: &Vega) -> Option<String> {
    let address = vega.settings.server.local_address();
    match vega.who_listens().await {
        Listener::Ours => None,
        Listener::Nobody => Some(format!(
            "no vega-server of this installation listens at {address}, so a link would open nothing. Start it with \
             `vega-server`, which prints a link, or then run `vega console` again; should it listen elsewhere, set \
             VEGA__SERVER__LISTEN to that address"
        )),
        listener @ (Listener::Unproven | Listener::Another) => Some(format!(
            "{listener} listens at {address}, so there is no link: it would open the console to whoever that is. On Linux \
             `ss -ltnp 'sport = :{port}'` shows which program it is. End it and start `vega-server`, or set \
             VEGA__SERVER__LISTEN to another address",
            port = address.port()
        )),
    }
}
