//! Looks whether a `vega-server` listens where a code comes back to: it then takes the code for whoever waits for it, so
//! nobody else has to listen. Whether it serves the same installation is not known; if it does not, it refuses the code.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};
use vega_domain::account::RedirectUri;

const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Far more than the answer is long.
const LONGEST_ANSWER: u64 = 8 * 1024;
/// So it names itself.
const NAME: &str = "\"program\":\"vega-server\"";

/// Whether one listens at the address of `uri`.
pub(crate) async fn listens_at(uri: &RedirectUri) -> bool {
    timeout(ANSWERS_WITHIN, answer(uri.url()))
        .await
        .is_ok_and(|answer| answer.is_some_and(|answer| answer.contains(NAME)))
}

/// What `/livez` says there. Loopback addresses only: the question goes to nobody else.
async fn answer(url: &Url) -> Option<String> {
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    if url.scheme() != "http" || !is_loopback {
        return None;
    }
    let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let mut stream = TcpStream::connect(&host).await.ok()?;
    let question = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
