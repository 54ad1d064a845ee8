//! Recognises an answer of the dialog that is no login page: JSON, the page of a proxy or of a network's login, an
//! error page of the browser, or no answer at all. Such an answer ends the attempt at once, and nothing is pressed. An
//! unfamiliar page of Upstox's own that arrived as a normal page is not judged here: it is left to the human. Also
//! decides which hosts are Upstox's.

use std::time::Duration;

use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::sign_in::Screen;

use crate::page_snapshot::{Answer, PageSnapshot};
use crate::redaction::without_numbers;

/// For this time a page may still be built by its scripts.
const SETTLES: Duration = Duration::from_secs(1);
/// After this time a page at the dialog's own address should have led to another page.
const LEADS_ON: Duration = Duration::from_secs(5);
/// After this time without any content the dialog is considered silent.
const SILENCE: Duration = Duration::from_secs(45);
/// How many characters of a page's text are reported.
const TOLD: usize = 120;

/// The hosts of Upstox's pages: the dialog's host, and the hosts below its domain.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    host: String,
    domain: Option<String>,
    dialog: String,
}

impl Home {
    /// The hosts of the dialog at this address.
    pub(crate) fn of(base: &Url) -> Self {
        let host = base.host_str().unwrap_or_default().to_owned();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        // `api.upstox.com` belongs to `upstox.com`; an address in numbers belongs to nothing.
        let domain = base.domain().and_then(|domain| {
            let (last, before) = (domain.rfind('.')?, &domain[..domain.rfind('.')?]);
            let start = before.rfind('.').map_or(0, |at| at + 1);
            (start < last).then(|| domain[start..].to_owned())
        });
        Self {
            host: format!("{host}{port}"),
            domain,
            dialog: "/v2/login/authorization/dialog".to_owned(),
        }
    }

    /// Whether a page at `host` may be Upstox's. A page without a host was made by the browser or by the page around
    /// it.
    pub(crate) fn has(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let below = |domain: &String| name == domain || name.ends_with(&format!(".{domain}"));
        host.is_empty() || host == self.host || self.domain.as_ref().is_some_and(below)
    }

    /// What the dialog answered instead of a login page. The answer has been there for `stands`, and no page of
    /// Upstox's was seen before.
    pub(crate) fn no_login_page(&self, seen: &PageSnapshot, stands: Duration) -> Option<Failure> {
        let answer = &seen.answer;
        if seen.unreachable {
            return (stands >= SETTLES).then(|| browsers_own(answer, "could not open Upstox's dialog"));
        }
        // It comes with an error's status, and goes on by itself or asks the human.
        if seen.screen() == Screen::Challenge {
            return None;
        }
        if answer.host.is_empty() {
            let words = format!("the dialog did not answer within {} s", SILENCE.as_secs());
            return (stands >= SILENCE).then(|| Failure::new(FailureReason::Network, words));
        }
        let is_page = matches!(&*answer.kind, "" | "text/html" | "application/xhtml+xml");
        if !answer.complete || (is_page && stands < SETTLES) {
            return None;
        }
        let (reason, what) = if seen.foreign {
            let host = &answer.host;
            let what = format!(
                "the dialog led to {host}, which is not Upstox's: a network's login, a proxy or a filter"
            );
            (FailureReason::Network, what)
        } else if answer.kind.contains("json") || answer.text.trim_start().starts_with('{') {
            (
                of_json(answer.status),
                "the dialog answered with JSON and no page".to_owned(),
            )
        } else if answer.status >= 400 {
            (
                of_status(answer.status),
                "the dialog answered with an error and no login page".to_owned(),
            )
        } else if !is_page {
            let what = format!("the dialog answered with {} and no page", answer.kind);
            (FailureReason::BrokerDown, what)
        } else if answer.bare {
            (
                FailureReason::BrokerDown,
                "the dialog answered with an empty page".to_owned(),
            )
        } else if answer.path == self.dialog && stands >= LEADS_ON {
            let what = "the dialog shows a page of its own and does not lead to the login page".to_owned();
            (FailureReason::BrokerDown, what)
        } else {
            return None;
        };
        Some(Failure::new(reason, with_words(&what, answer)))
    }
}

fn with_words(what: &str, answer: &Answer) -> String {
    let status = match answer.status {
        0 => String::new(),
        status => format!(" (HTTP {status})"),
    };
    let text: String = answer.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = [answer.title.trim(), &text]
        .into_iter()
        .filter(|words| !words.is_empty());
    let words: String = words.collect::<Vec<_>>().join(": ").chars().take(TOLD).collect();
    if words.is_empty() {
        format!("{what}{status}")
    } else {
        format!("{what}{status}: \"{}\"", without_numbers(&words))
    }
}

fn of_json(status: u16) -> FailureReason {
    match status {
        429 => FailureReason::Throttled,
        400..=499 => FailureReason::ClientRejected,
        _ => FailureReason::BrokerDown,
    }
}

fn of_status(status: u16) -> FailureReason {
    match status {
        401 | 407 | 511 => FailureReason::Network,
        403 | 451 => FailureReason::Blocked,
        404 | 410 => FailureReason::EndpointUnknown,
        429 => FailureReason::Throttled,
        _ => FailureReason::BrokerDown,
    }
}

/// The failure for the browser's own error page: what did not work, the meaning of its code in plain words, and the
/// code.
pub(crate) fn browsers_own(answer: &Answer, what: &str) -> Failure {
    let code = &*answer.browsers_code;
    // So it shows an error's status that came without a page.
    if let Some(status) = code.strip_prefix("HTTP ERROR ") {
        let reason = status.parse().map_or(FailureReason::Network, of_status);
        let words = format!("the browser {what}: an error came and no page (HTTP {status})");
        return Failure::new(reason, words);
    }
    let meaning = match code {
        "" => {
            let words = format!("the browser {what} and shows its own error page, which has no code");
            return Failure::new(FailureReason::Network, with_words(&words, answer));
        }
        "ERR_NAME_NOT_RESOLVED" | "ERR_NAME_RESOLUTION_FAILED" => "its name was not found (DNS)",
        "ERR_INTERNET_DISCONNECTED" | "ERR_ADDRESS_UNREACHABLE" | "ERR_NETWORK_CHANGED" => {
            "there is no network that leads there"
        }
        "ERR_CONNECTION_REFUSED" => "nothing listens there, or a firewall refuses",
        "ERR_CONNECTION_RESET" | "ERR_CONNECTION_CLOSED" | "ERR_CONNECTION_ABORTED" => {
            "the connection was cut: by a firewall, a filter, or a network that is not steady"
        }
        "ERR_CERT_AUTHORITY_INVALID" => {
            "its certificate is from an authority that this browser does not know"
        }
        "ERR_CERT_DATE_INVALID" => "its certificate has expired, or this computer's clock is wrong",
        "ERR_CERT_COMMON_NAME_INVALID" => "its certificate is for another name",
        code if code.starts_with("ERR_CERT") => "its certificate was refused",
        code if code.starts_with("ERR_SSL") => "what answered speaks no proper TLS",
        code if code.starts_with("ERR_PROXY") || code.starts_with("ERR_TUNNEL") => {
            "the proxy of this browser does not let it through (https_proxy, or the desktop's settings)"
        }
        code if code.starts_with("ERR_BLOCKED_BY") => "a policy or a filter of this browser blocks it",
        "ERR_EMPTY_RESPONSE" => "it answered with nothing",
        code if code.contains("TIMED_OUT") => "it did not answer in time",
        // What the browser found out about names afterwards stands in the code's place.
        "DNS_PROBE_FINISHED_NO_INTERNET" => "there is no network that leads there: ERR_NAME_NOT_RESOLVED",
        code if code.starts_with("DNS_PROBE_") => "its name was not found (DNS): ERR_NAME_NOT_RESOLVED",
        _ => "no page came",
    };
    let words = format!("the browser {what}: {meaning} ({code})");
    Failure::new(FailureReason::Network, words)
}
