//! The floor of `vega verify`: profile calls with the HTTP library that Vega uses, all at once, each on a connection of its
//! own, and nothing else: no database, no settings, no TLS. Arguments: Upstox's address, then the tokens.

use anyhow::{Context, Result, ensure};
use reqwest::{Certificate, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let upstox = arguments.next().context("give Upstox's address, then tokens")?;
    let url = format!("{upstox}/v2/user/profile");
    // The broker of a benchmark speaks plain HTTP: no certificate is read.
    let http = Client::builder()
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(0)
        .tls_certs_only(Vec::<Certificate>::new())
        .build()?;
    let calls: Vec<_> = arguments
        .map(|token| tokio::spawn(http.get(&url).bearer_auth(token).send()))
        .collect();
    ensure!(!calls.is_empty(), "give at least one token");
    for call in calls {
        let answer = call.await??.error_for_status()?;
        ensure!(!answer.bytes().await?.is_empty(), "an empty answer");
    }
    Ok(())
}
