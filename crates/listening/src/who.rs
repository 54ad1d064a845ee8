//! Who listens at an address of this machine: a program of this installation proves itself by answering a challenge that only
//! a holder of the root key can. Whoever else stands there may say what it likes. Nothing secret is sent to find that out.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vega_domain::ports::{ListenerAddress, ListenerProof};

use crate::tls::connect_to_anybody;
use crate::transport::Scheme;

/// So long, in characters, a challenge may be.
pub const CHALLENGE: RangeInclusive<usize> = 16..=64;

const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Far more than the answer is long.
pub(crate) const LONGEST_ANSWER: u64 = 8 * 1024;

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Nobody.
    Nobody,
    /// A `vega-server` with the same root key.
    Ours,
    /// One that calls itself `vega-server` and cannot prove that it is ours, or not yet.
    Unproven,
    /// Another program.
    Another,
}

/// In words, for a sentence such as "… listens at 127.0.0.1:28020".
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody",
            Self::Ours => "the vega-server of this installation",
            Self::Unproven => {
                "a program that calls itself vega-server and does not prove that it has this installation's key (one that \
                 still waits for its database, was started before Vega was updated, or lacks the key since a rotation, must get that \
                 first; otherwise trust it with nothing)"
            }
            Self::Another => "another program, which is no vega-server of this installation,",
        })
    }
}

/// What `/livez` says.
#[derive(Deserialize)]
pub(crate) struct Live {
    program: String,
    #[serde(default)]
    pub(crate) proof: Option<String>,
}

/// Asks whoever listens at `address`, one of this machine, to prove itself.
pub async fn who_listens(address: SocketAddr, scheme: Scheme, proof: &dyn ListenerProof) -> Listener {
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let challenge = random_challenge();
    let asking = async {
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Listener::Nobody,
            Err(_) => return Listener::Another,
        };
        match ask(stream, scheme, address, &challenge).await {
            Some(Live {
                proof: Some(answer), ..
            }) if proof.is_right(&challenge, &ListenerAddress::Network(address), &answer) => Listener::Ours,
            Some(live) if live.program == "vega-server" => Listener::Unproven,
            _ => Listener::Another,
        }
    };
    // Who is silent is no vega-server.
    timeout(ANSWERS_WITHIN, asking).await.unwrap_or(Listener::Another)
}

/// Whether a connection that was not made says that nobody is there: the machine may have no such address either.
fn is_nobody(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::Unsupported
    )
}

async fn ask(stream: TcpStream, scheme: Scheme, address: SocketAddr, challenge: &str) -> Option<Live> {
    match scheme {
        Scheme::Http => ask_over(stream, address, challenge).await,
        Scheme::Https => {
            let stream = connect_to_anybody(stream, address.ip().into()).await.ok()?;
            ask_over(stream, address, challenge).await
        }
    }
}

async fn ask_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    challenge: &str,
) -> Option<Live> {
    let question =
        format!("GET /livez?challenge={challenge} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    // Over TLS some end without saying so: what came is looked at all the same.
    let _ = stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await;
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    serde_json::from_slice(&answer[head + 4..]).ok()
}

/// 256 random bits in 43 characters.
pub(crate) fn random_challenge() -> String {
    let mut bits = [0; 32];
    // Without random bits nothing is safe, so nothing goes on.
    getrandom::fill(&mut bits).expect("the system gives random bits");
    URL_SAFE_NO_PAD.encode(bits)
}
