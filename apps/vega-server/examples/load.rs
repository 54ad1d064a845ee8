//! The client of `cargo xtask bench`. `load ADDRESS PATH KEY RATE [CERTIFICATE]` asks for a path at this rate, and with rate 0 by
//! many connections as fast as it can; over TLS where the server's certificate is named. Prints how many microseconds each
//! answer took, and judges none.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;

const CONNECTIONS_AT_A_RATE: u32 = 8;
const CONNECTIONS_AT_FULL_SPEED: u32 = 32;
const LASTS: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, key, rate, certificate @ ..] = arguments.as_slice() else {
        bail!("give an address, a path, a key, how many requests per second, and a certificate for TLS");
    };
    let tls = certificate
        .first()
        .map(|file| trusts(Path::new(file)))
        .transpose()?;
    let (connections, pause) = match rate.parse()? {
        0 => (CONNECTIONS_AT_FULL_SPEED, None),
        rate => {
            let pause = Duration::from_secs(1) * CONNECTIONS_AT_A_RATE / rate;
            (CONNECTIONS_AT_A_RATE, Some(pause))
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n");
    let mut clients = Vec::new();
    for _ in 0..connections {
        let (address, request, tls) = (address.clone(), request.clone(), tls.clone());
        clients.push(tokio::spawn(async move {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            match tls {
                None => ask(stream, request.as_bytes(), pause).await,
                Some(tls) => {
                    let name = ServerName::try_from("localhost")?;
                    ask(tls.connect(name, stream).await?, request.as_bytes(), pause).await
                }
            }
        }));
    }
    let mut lines = Vec::new();
    for client in clients {
        lines.extend(client.await??.iter().map(|took| format!("{took:.1}\n")));
    }
    print(&lines.concat())
}

/// Speaks TLS with a server that has this certificate.
fn trusts(certificate: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let client = ClientConfig::builder().with_root_certificates(roots);
    Ok(TlsConnector::from(Arc::new(client.with_no_client_auth())))
}

/// How many microseconds each answer of one connection took.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    pause: Option<Duration>,
) -> Result<Vec<f64>> {
    let mut ticks = interval(pause.unwrap_or(Duration::from_nanos(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ends = Instant::now() + LASTS;
    let (mut took, mut answer) = (Vec::new(), Vec::with_capacity(4096));
    // The client shares the server's processors, so it reads the head of the first answer alone: nearly all others are as long.
    let mut length = None;
    while Instant::now() < ends {
        if pause.is_some() {
            ticks.tick().await;
        }
        let began = Instant::now();
        stream.write_all(request).await?;
        answer.clear();
        while length.is_none_or(|length| answer.len() < length) {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the server hung up");
            length = length.or(length_of(&answer)?);
        }
        took.push(began.elapsed().as_secs_f64() * 1e6);
        if Some(answer.len()) != length {
            // For how many seconds the database has been away has a digit more.
            length = length_of(&answer)?;
        }
        ensure!(
            Some(answer.len()) == length && answer.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    Ok(took)
}

/// How long an answer is, head and body, once its head is there.
fn length_of(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head])?;
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without a length")?.parse()?;
    Ok(Some(head + 4 + length))
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
