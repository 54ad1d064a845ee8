//! `vega console`: a link that opens the console in a browser, once. Where somebody else listens there is none: whoever is
//! given it could open the console.

use vega_bootstrap::{Listener, Vega};
use vega_domain::access::LINK_LIFE;

use crate::exit::Exit;
use crate::output;

pub(crate) async fn run(vega: &Vega) -> anyhow::Result<Exit> {
    let address = vega.settings.listen;
    let listener = vega.who_listens(address).await;
    if matches!(listener, Listener::Unproven | Listener::Another) {
        output::problem(&format!(
            "{listener} listens at {address}, so there is no link: it would open the console to whoever that is. On Linux \
             `ss -ltnp 'sport = :{port}'` shows which program it is. End it and start `vega-server`, or set \
             VEGA__SERVER__LISTEN to another address",
            port = address.port()
        ));
        return Ok(Exit::Preflight);
    }
    let code = vega.access.make_link().await?;
    // After the #, so that no browser sends it along as part of the address.
    output::data(&format!("http://{address}/enter#{}", code.expose()));
    output::say(&format!(
        "Open it in a browser on this machine: it works once, within {} s, and needs a running `vega-server`.",
        LINK_LIFE.num_seconds()
    ));
    if listener == Listener::Nobody {
        output::say(&format!(
            "warning: nobody listens at {address} now. Start `vega-server`, then open the link"
        ));
    }
    Ok(Exit::Ok)
}
