//! The part of `cargo xtask bench` about HTTP: how fast the server hands out tokens, beside an axum handler that does
//! nothing, and how much memory it takes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bench::home::Home;
use crate::shell::{say, step, target};

/// As long as the client asks, in seconds.
const LASTS: f64 = 5.0;
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A program that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Microseconds of each token read at a rate that programs have; what goes with it is only told.
pub(crate) fn token_reads(home: &Home) -> Result<Vec<f64>> {
    let key = home.output("vega", &["key", "add", "bench", "--scope", "token:API1"])?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    drop(listener);
    let server = home
        .program(&target().join("release/vega-server"))
        .env("VEGA__SERVER__LISTEN", &address)
        .stderr(Stdio::null())
        .spawn()
        .context("vega-server cannot be started")?;
    let server = Running(server);
    wait_for(&address)?;
    let load = target().join("release/examples/load");
    let empty = Command::new(&load).arg("empty").stdout(Stdio::piped()).spawn()?;
    let mut empty = Running(empty);
    let mut beside = String::new();
    BufReader::new(empty.0.stdout.take().context("its output")?).read_line(&mut beside)?;

    let path = "/api/v1/apis/API1/token";
    let ask = |address: &str, path: &str, rate: &str| -> Result<Vec<f64>> {
        let output = Command::new(&load)
            .args([address, path, key.trim(), rate])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "load failed: {}", output.status);
        let text = String::from_utf8(output.stdout)?;
        text.lines()
            .map(|line| line.parse().context("a figure"))
            .collect()
    };
    step("token reads over HTTP, as fast as it goes, beside an empty handler");
    for (what, address, path) in [
        ("an empty axum handler", beside.trim(), "/"),
        ("a token read", address.as_str(), path),
    ] {
        let mut took = ask(address, path, "0")?;
        took.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let per_second = took.len() as f64 / LASTS;
        say(&format!(
            "{what}: {per_second:.0} per second, median {:.0} µs, p99 {:.0} µs",
            took[took.len() / 2],
            took[took.len() * 99 / 100]
        ));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    say(&format!(
        "memory of vega-server afterwards: {}",
        memory.unwrap_or("unknown").trim()
    ));
    step("token reads over HTTP, 200 per second");
    ask(&address, path, "200")
}

fn wait_for(address: &str) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a program of another process starts")]
    let began = std::time::Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        ensure!(began.elapsed() < STARTS_WITHIN, "vega-server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
