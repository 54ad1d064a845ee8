//! The floor of token reads over HTTP: an axum handler that does nothing but answer with as many bytes as a token's answer
//! has. `empty_handler [BYTES]` prints its address and serves until it is ended.

use std::io::Write;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// A token of the bench, and what goes with it in JSON.
const LENGTH: usize = 144;

#[tokio::main]
async fn main() -> Result<()> {
    let length = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the length of the body, in bytes")?,
        None => LENGTH,
    };
    let body: &'static str = "x".repeat(length).leak();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().route("/", get(async move || body));
    Ok(axum::serve(listener, router).await?)
}
