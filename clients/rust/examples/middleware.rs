//! A client of Upstox that needs no thought for tokens: the middleware puts the newest one in, reports a 401, and makes a call that may be
//! made twice again with the next one. `cargo run --features reqwest-middleware --example middleware -- http://127.0.0.1:PORT` for a
//! simulator; without an argument it asks Upstox.

use std::time::Duration;

use reqwest_middleware::ClientBuilder;
use vega_client::{Bearer, Server};

const UPSTOX: &str = "https://api.upstox.com";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = std::env::args().nth(1).unwrap_or_else(|| UPSTOX.to_owned());
    let tokens = Server::local()?.consumer("profile").build()?.tokens("PRIMARY")?;
    let bearer = Bearer::new(tokens).also_to(&broker)?;
    let plain = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?;
    let upstox = ClientBuilder::new(plain).with(bearer).build();
    let answer = upstox.get(format!("{broker}/v2/user/profile")).send().await?;
    say(&format!("{}: {}", answer.status(), answer.text().await?));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example that shows what it does")]
fn say(line: &str) {
    println!("{line}");
}
