//! What `cargo xtask bench` runs: how long a change takes to reach every stream of a server, and how much memory the server has then.
//! `fan_out ADDRESS PID EACH KEY…` opens so many streams with each key. Prints MiB, and then milliseconds of each change, and judges none.

#[path = "../tests/it/other_vega.rs"]
#[expect(dead_code, reason = "here it only stores tokens")]
mod other_vega;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};
use vega_bootstrap::{Environment, Settings, SystemClock};
use vega_domain::ids::Generation;
use vega_domain::ports::Clock;

use crate::other_vega::OtherVega;

const CHANGES: u32 = 20;
/// What is late for this is lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// No event of a token's stream is so long.
const LONGEST: usize = 16 * 1024;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, each, keys @ ..] = arguments.as_slice() else {
        bail!("give an address, the server's process, how many streams each key opens, and the keys");
    };
    vega_listening::allow_many_files();
    let settings = Settings::load(&Environment::of_process())?;
    let clock = SystemClock::new();
    let (account, api) = settings.accounts.apis().next().context("no API")?;
    let (told, mut heard) = unbounded_channel();
    let each: usize = each.parse()?;
    for key in keys {
        for _ in 0..each {
            let stream = open(address, api.name.as_str(), key).await?;
            tokio::spawn(listen(stream, told.clone()));
        }
    }
    let streams = each * keys.len();
    let before = all_have(&mut heard, streams, None).await?.0;
    let now = clock.now();
    let other = OtherVega::open(&settings.database_place, settings.key_source.path(), now).await?;
    let mut took = Vec::new();
    for number in 1..=CHANGES {
        // At every phase of whatever asks regularly.
        sleep(Duration::from_millis(u64::from(200 + number * 37 % 101))).await;
        let generation = Generation::new(before + number)?;
        other.store(account, api, generation, clock.now()).await?;
        let began = Instant::now();
        let (_, last) = all_have(&mut heard, streams, Some(generation.get())).await?;
        took.push(last.saturating_duration_since(began).as_secs_f64() * 1e3);
    }
    // Its run is not closed: the server has ended it by then, as that of a process that died.
    drop(other);
    say([memory(pid)?].into_iter().chain(took));
    Ok(())
}

/// A stream of how the token of this API stands.
async fn open(address: &str, api: &str, key: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /api/v1/apis/{api}/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Tells of each generation when it is heard of. Ends with the stream.
async fn listen(mut stream: TcpStream, told: UnboundedSender<(u32, Instant)>) -> Result<()> {
    let mut text = Vec::new();
    loop {
        ensure!(stream.read_buf(&mut text).await? > 0, "the server hung up");
        let now = Instant::now();
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event = String::from_utf8(text.drain(..end + 2).collect())?;
            if let Some(generation) = generation_of(&event) {
                told.send((generation?, now))?;
            }
        }
        ensure!(text.len() < LONGEST, "no event ends");
    }
}

fn generation_of(event: &str) -> Option<Result<u32>> {
    let (_, rest) = event.split_once("\"generation\":")?;
    let digits = rest.split([',', '}']).next()?;
    Some(digits.parse().context("a generation"))
}

/// Waits until each stream has told of this generation, or of any. Which one that is, and when the last one heard of it.
async fn all_have(
    heard: &mut tokio::sync::mpsc::UnboundedReceiver<(u32, Instant)>,
    streams: usize,
    wanted: Option<u32>,
) -> Result<(u32, Instant)> {
    let mut last = None;
    for number in 0..streams {
        let next = timeout(PATIENCE, heard.recv()).await;
        let (generation, at) = next
            .with_context(|| format!("{number} of {streams} streams have the token"))?
            .context("no stream is left")?;
        ensure!(
            wanted.is_none_or(|wanted| wanted == generation),
            "generation {generation} came, not {wanted:?}"
        );
        last = last.max(Some((at, generation)));
    }
    let (at, generation) = last.context("no streams")?;
    Ok((generation, at))
}

/// Resident memory of a process, in MiB.
fn memory(pid: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    Ok(kib.context("no resident memory")?.parse::<f64>()? / 1024.0)
}

/// A figure a line; what they amount to is reckoned by who asked.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn say(figures: impl IntoIterator<Item = f64>) {
    for figure in figures {
        println!("{figure:.4}");
    }
}
