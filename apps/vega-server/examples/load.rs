//! What `cargo xtask bench` measures the server with: `load empty` serves nothing at all, for comparison, and
//! `load ADDRESS PATH KEY RATE` asks for a path, as fast as it can with rate 0. Prints how many microseconds each answer
//! took, and judges none.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval};

const CONNECTIONS: u32 = 8;
const LASTS: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["empty"] => empty().await,
        [address, path, key, rate] => load(address, path, key, rate.parse()?).await,
        _ => bail!("give `empty`, or an address, a path, a key and how many requests per second"),
    }
}

/// An axum handler that does nothing.
async fn empty() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    print(&format!("{}\n", listener.local_addr()?))?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().route("/", get(async || "nothing"));
    Ok(axum::serve(listener, router).await?)
}

async fn load(address: &str, path: &str, key: &str, rate: u32) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n");
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (address, request) = (address.to_owned(), request.clone());
        let pause = (rate > 0).then(|| Duration::from_secs(1) * CONNECTIONS / rate);
        clients.push(tokio::spawn(async move {
            ask(&address, request.as_bytes(), pause).await
        }));
    }
    let mut lines = Vec::new();
    for client in clients {
        lines.extend(
            client
                .await??
                .iter()
                .map(|took| format!("{:.1}\n", took.as_secs_f64() * 1e6)),
        );
    }
    print(&lines.concat())
}

/// How long each answer took.
async fn ask(address: &str, request: &[u8], pause: Option<Duration>) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut ticks = interval(pause.unwrap_or(Duration::from_nanos(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ends = Instant::now() + LASTS;
    let (mut took, mut answer) = (Vec::new(), Vec::new());
    while Instant::now() < ends {
        if pause.is_some() {
            ticks.tick().await;
        }
        let began = Instant::now();
        stream.write_all(request).await?;
        answer.clear();
        while !is_whole(&answer)? {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the server hung up");
        }
        took.push(began.elapsed());
    }
    ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    Ok(took)
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(false);
    };
    let text = std::str::from_utf8(&answer[..head])?;
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without a length")?.parse()?;
    Ok(answer.len() >= head + 4 + length)
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
