//! `vega console`: a link that opens the console in a browser, once. Where the server of this installation does not listen
//! there is none: whoever else is given it could open the console, and nobody opens it in its minute.

use vega_bootstrap::{Listener, Vega};
use vega_domain::access::LINK_LIFE;

use crate::command_error::CommandError;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega) -> Result<Exit, CommandError> {
    let address = vega.settings.listen;
    let listener = vega.who_listens(address).await;
    match listener {
        Listener::Ours => {}
        Listener::Nobody => {
            output::problem(&format!(
                "no vega-server of this installation listens at {address}, so a link would open nothing. Start it with \
                 `vega-server`, which prints a link, or then run `vega console` again; should it listen elsewhere, set \
                 VEGA__SERVER__LISTEN to that address"
            ));
            return Ok(Exit::Preflight);
        }
        Listener::Unproven | Listener::Another => {
            output::problem(&format!(
                "{listener} listens at {address}, so there is no link: it would open the console to whoever that is. On Linux \
                 `ss -ltnp 'sport = :{port}'` shows which program it is. End it and start `vega-server`, or set \
                 VEGA__SERVER__LISTEN to another address",
                port = address.port()
            ));
            return Ok(Exit::Preflight);
        }
    }
    let code = vega.access.make_link().await?;
    // After the #, so that no browser sends it along as part of the address.
    output::data(&format!("http://{address}/enter#{}", code.expose()));
    output::say(&format!(
        "Open it in a browser on this machine: it works once, within {} s.",
        LINK_LIFE.num_seconds()
    ));
    Ok(Exit::Ok)
}
