//! `vega console`: a link that opens the console in a browser, once.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use vega_bootstrap::Vega;
use vega_domain::access::LINK_LIFE;

use crate::exit::Exit;
use crate::output;

/// A server on this machine answers within this, or there is none.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

pub(crate) async fn run(vega: &Vega) -> anyhow::Result<Exit> {
    let address = vega.settings.listen;
    let code = vega.access.make_link().await?;
    // After the #, so that no browser sends it along as part of the address.
    output::data(&format!("http://{address}/enter#{}", code.expose()));
    output::say(&format!(
        "Open it in a browser on this machine: it works once, within {} s, and needs a running `vega-server`.",
        LINK_LIFE.num_seconds()
    ));
    if !somebody_listens(address).await {
        output::say(&format!(
            "warning: nobody listens at {address} now. Start `vega-server`, then open the link"
        ));
    }
    Ok(Exit::Ok)
}

async fn somebody_listens(address: SocketAddr) -> bool {
    timeout(ANSWERS_WITHIN, TcpStream::connect(address))
        .await
        .is_ok_and(|connected| connected.is_ok())
}
