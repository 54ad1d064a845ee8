//! Which calls go through a proxy, and what a proxy says when none comes through. Only calls over TLS do, never those to
//! this computer, and only through the proxy of the settings: no other variable or system setting is looked at.

use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// What is never asked of a proxy.
const THIS_COMPUTER: &str = "localhost,127.0.0.0/8,::1";

/// Stands for a proxy whose address cannot be used, where only the call's own address matters.
const NAMELESS: &str = "http://proxy.invalid";

const PATIENCE: Duration = Duration::from_secs(5);

/// No honest proxy needs a longer first line.
const LONGEST_LINE: u64 = 1024;

/// A proxy, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is: `http://host:port`, without name and password. Else what stands there, and why it cannot be used:
    /// then no call that should go through it is made.
    pub url: Result<Url, String>,
    /// The setting or variable that names it, for messages.
    pub named_by: String,
    /// Hosts that are reached without it, as in `NO_PROXY`.
    pub except: String,
}

impl Proxy {
    /// Whether calls to `url` go through it.
    pub fn is_for(&self, url: &Url) -> bool {
        let Ok(uri) = url.as_str().parse() else {
            return false;
        };
        let address = self.url.as_ref().map_or(NAMELESS, Url::as_str);
        let matcher = Matcher::builder()
            .https(address)
            .no(format!("{THIS_COMPUTER},{}", self.except))
            .build();
        matcher.intercept(&uri).is_some()
    }

    /// Why nothing can go through it, whatever it is asked; `None` where something may.
    pub(crate) fn unusable(&self) -> Option<String> {
        let problem = self.url.as_ref().err()?;
        Some(format!("{} is {problem}", self.named_by))
    }

    /// As in messages.
    pub(crate) fn shown(&self) -> String {
        format!("the proxy {} of {}", self.address(), self.named_by)
    }

    fn address(&self) -> String {
        match &self.url {
            Ok(url) => {
                let host = url.host_str().unwrap_or_default();
                format!("{host}:{}", url.port_or_known_default().unwrap_or(80))
            }
            Err(problem) => problem.clone(),
        }
    }

    /// Asks it for a way to `target` (`host:port`), and sends nothing through that. What keeps it from giving one;
    /// `None` when it gives one, so that it is not what failed.
    pub(crate) async fn refusal(&self, target: &str) -> Option<String> {
        let connected = timeout(PATIENCE, TcpStream::connect(self.address())).await;
        let mut stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Some(format!("{} cannot be reached: {error}", self.shown())),
            Err(_) => return Some(format!("{} does not answer", self.shown())),
        };
        let asked = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(asked.as_bytes()).await?;
            let mut first = stream.take(LONGEST_LINE);
            while !answer.contains(&b'\n') && first.read_buf(&mut answer).await? > 0 {}
            Ok::<(), std::io::Error>(())
        };
        let exchanged = timeout(PATIENCE, exchange).await;
        let line = String::from_utf8_lossy(&answer);
        let line = line.lines().next().unwrap_or_default().trim();
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split_whitespace().nth(1))
            .and_then(|status| status.parse::<u16>().ok());
        let what = match (exchanged, status) {
            (_, Some(200..=299)) => return None,
            (_, Some(407)) => {
                "wants a name and a password (HTTP 407), which Vega does not give: use one that lets this computer through"
                    .to_owned()
            }
            (_, Some(status @ (502..=504))) => format!("could not reach {target} either (HTTP {status})"),
            (_, Some(status)) => format!("refuses the way to {target} (HTTP {status})"),
            (Ok(Err(error)), None) => format!("broke off: {error}"),
            (Err(_), None) => "takes the call and does not answer".to_owned(),
            (Ok(Ok(())), None) => "does not answer as a proxy does".to_owned(),
        };
        Some(format!("{} {what}", self.shown()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::upstox("https://api.upstox.com/v2", "", true)]
    #[case::without_tls("http://api.upstox.com/v2", "", false)]
    #[case::this_computer("https://localhost:8443/", "", false)]
    #[case::this_computer_by_number("https://127.0.0.1/", "", false)]
    #[case::another_number_of_it("https://127.8.8.8/", "", false)]
    #[case::this_computer_in_six("https://[::1]:8443/", "", false)]
    #[case::looks_like_it("https://localhost.example.com/", "", true)]
    #[case::excepted("https://api.upstox.com/", "upstox.com", false)]
    #[case::excepted_with_a_dot("https://api.upstox.com/", ".upstox.com", false)]
    #[case::excepted_among_others("https://api.upstox.com/", "intra, api.upstox.com", false)]
    #[case::another_one_excepted("https://api.upstox.com/", "notupstox.com", true)]
    #[case::all_excepted("https://api.upstox.com/", "*", false)]
    fn only_calls_over_tls_to_other_computers_go_through_it(
        #[case] url: &str,
        #[case] except: &str,
        #[case] goes: bool,
    ) {
        let proxy = Proxy {
            url: Ok(Url::parse("http://proxy.example:3128").unwrap()),
            named_by: "HTTPS_PROXY".into(),
            except: except.into(),
        };
        let url = Url::parse(url).unwrap();
        assert_eq!(proxy.is_for(&url), goes, "{url} {except}");
        let unusable = Proxy {
            url: Err("\"ftp://there\", which is no proxy".into()),
            ..proxy
        };
        assert_eq!(unusable.is_for(&url), goes, "{url} {except}");
    }
}
