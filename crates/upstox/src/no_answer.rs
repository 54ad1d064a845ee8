//! Why a call got no answer, told by the error that stands at the bottom and not by the layer that passed it on. Errors are
//! known by their type, never by their words.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::CertificateError as Certificate;
use vega_domain::failure::FailureReason;

/// Less than a connection is given, so that a DNS server which does not answer is told from a server which does not.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

/// Finds addresses as every program here does, and says so where it finds none.
#[derive(Debug)]
pub(crate) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the connection's own; it is put in there.
            let found = in_time(tokio::net::lookup_host((name.as_str(), 0))).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// What a lookup finds, if it does so in time.
async fn in_time<A>(lookup: impl Future<Output = io::Result<A>>) -> Result<A, NoAddress> {
    let answered = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await;
    let silence = |_| io::Error::new(io::ErrorKind::TimedOut, "no DNS server answered in time");
    answered.map_err(silence).flatten().map_err(NoAddress)
}

/// A name without an address.
#[derive(Debug)]
struct NoAddress(io::Error);

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NoAddress {}

/// The cause, with its words where its own would say little.
pub(crate) fn cause_of(error: &(dyn Error + 'static)) -> (FailureReason, Option<String>) {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<NoAddress>() {
            return (FailureReason::NameUnresolved, Some(error.to_string()));
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            let (reason, words) = of_tls(error);
            return (reason, Some(words));
        }
        next = below(error);
    }
    (FailureReason::Network, None)
}

/// The words of the error at the bottom: those above only say that something failed.
pub(crate) fn root_of(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(deeper) = below(root) {
        root = deeper;
    }
    root.to_string()
}

/// An I/O error that wraps another one names that one's cause as its own, and would hide it.
fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn of_tls(error: &rustls::Error) -> (FailureReason, String) {
    let time = |at: &rustls::pki_types::UnixTime| {
        let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        chrono::DateTime::from_timestamp(seconds, 0).map_or_else(
            || "a time far away".to_owned(),
            |at| at.format("%d %b %Y %H:%M UTC").to_string(),
        )
    };
    let rustls::Error::InvalidCertificate(found) = error else {
        let words = match error {
            rustls::Error::InvalidMessage(_) => "it does not speak TLS at this port".to_owned(),
            other => format!("TLS failed: {other}"),
        };
        return (FailureReason::Network, words);
    };
    match found {
        Certificate::Expired => (
            FailureReason::CertificateTime,
            "its certificate has expired".into(),
        ),
        Certificate::ExpiredContext { time: now, not_after } => (
            FailureReason::CertificateTime,
            format!(
                "its certificate expired at {}; here it is {}",
                time(not_after),
                time(now)
            ),
        ),
        Certificate::NotValidYet => (
            FailureReason::CertificateTime,
            "its certificate is not valid yet".into(),
        ),
        Certificate::NotValidYetContext {
            time: now,
            not_before,
        } => (
            FailureReason::CertificateTime,
            format!(
                "its certificate is valid from {} on; here it is {}",
                time(not_before),
                time(now)
            ),
        ),
        Certificate::NotValidForName => (
            FailureReason::CertificateName,
            "its certificate is for another name".into(),
        ),
        Certificate::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name".into() } else { names };
            (
                FailureReason::CertificateName,
                format!("its certificate is for {names}"),
            )
        }
        Certificate::UnknownIssuer => (
            FailureReason::UntrustedIssuer,
            "its certificate was made by an authority that this computer does not know".into(),
        ),
        Certificate::BadSignature => (
            FailureReason::UntrustedIssuer,
            "its certificate names an authority that this computer knows, and was not signed by that one"
                .into(),
        ),
        other => (
            FailureReason::UntrustedIssuer,
            format!("its certificate is not accepted: {other:?}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn wrapped(error: rustls::Error) -> io::Error {
        // As deep as the HTTP client has it.
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[rstest]
    #[case::expired(Certificate::Expired, FailureReason::CertificateTime)]
    #[case::not_yet(Certificate::NotValidYet, FailureReason::CertificateTime)]
    #[case::name(Certificate::NotValidForName, FailureReason::CertificateName)]
    #[case::issuer(Certificate::UnknownIssuer, FailureReason::UntrustedIssuer)]
    #[case::revoked(Certificate::Revoked, FailureReason::UntrustedIssuer)]
    #[case::signature(Certificate::BadSignature, FailureReason::UntrustedIssuer)]
    #[case::encoding(Certificate::BadEncoding, FailureReason::UntrustedIssuer)]
    fn what_tls_refuses_is_told_by_its_reason(#[case] found: Certificate, #[case] reason: FailureReason) {
        let error = wrapped(rustls::Error::InvalidCertificate(found));
        assert_eq!(cause_of(&error).0, reason);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dns_server_that_does_not_answer_is_told_from_a_server_that_does_not() {
        let silent = in_time(std::future::pending::<io::Result<()>>()).await;
        let (reason, words) = cause_of(&io::Error::other(silent.unwrap_err()));
        assert_eq!(reason, FailureReason::NameUnresolved);
        assert_eq!(words.unwrap(), "no DNS server answered in time");
    }

    #[test]
    fn what_is_no_tls_and_what_is_no_name_are_told_apart() {
        let plain = wrapped(rustls::Error::InvalidMessage(
            rustls::InvalidMessage::InvalidContentType,
        ));
        let (reason, words) = cause_of(&plain);
        assert_eq!(reason, FailureReason::Network);
        assert!(words.unwrap().contains("does not speak TLS"));

        let nowhere = io::Error::other(NoAddress(io::Error::other("Name or service not known")));
        let (reason, words) = cause_of(&nowhere);
        assert_eq!(reason, FailureReason::NameUnresolved);
        assert_eq!(words.unwrap(), "Name or service not known");

        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(cause_of(&refused), (FailureReason::Network, None));
        assert_eq!(root_of(&refused), "connection refused");
    }
}
