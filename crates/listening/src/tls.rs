//! A listener's TLS: with a certificate and key from files that are looked at again while it listens. What else a connection must be
//! is decided elsewhere.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ResolvesServerCert;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use vega_domain::ports::Clock;

use crate::certificate::{Certificate, News, Seen, TlsError, TlsFiles};
use crate::expiry::Expiry;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a pair that is not fit is looked at before it is refused, and how long after one another: a renewal may be between the
/// certificate and its key.
const LOOKS: u32 = 6;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// TLS for a listener; clones share the certificate in use.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl ServerTls {
    /// With the certificate and key of these files, which may be written just now: looks again for some seconds before it refuses them.
    pub async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        for look in 1..LOOKS {
            match Self::load_now(files.clone()) {
                Ok(tls) => return Ok(tls),
                Err(error) if look == 1 => tracing::warn!(
                    "{error}. It may be renewed just now: Vega looks again for {} s",
                    (LOOK_AGAIN * (LOOKS - 1)).as_secs()
                ),
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Self::load_now(files)
    }

    fn load_now(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = Arc::new(Certificate::read(files, Arc::clone(&provider))?);
        let unfit = |source| TlsError::Unfit {
            files: certificate.files().clone(),
            source,
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth();
        let config = config.with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
        })
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.certificate.files().certificate
    }

    /// Until when the certificate in use is valid.
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        self.certificate.not_after()
    }

    /// Looks at the files now and then, and uses what they hold for connections from then on. Tells what it finds once, and that the
    /// certificate ends soon or has ended. Never returns.
    pub async fn follow(&self, clock: &dyn Clock) -> std::convert::Infallible {
        let mut seen = Seen::default();
        let mut expiry = Expiry::default();
        let name = self.certificate().display();
        loop {
            let certificate = Arc::clone(&self.certificate);
            let looked = tokio::task::spawn_blocking(move || {
                let news = certificate.look(&mut seen);
                (seen, news)
            })
            .await;
            // After a panic all is looked at anew.
            let (after, news) = looked.unwrap_or_default();
            seen = after;
            match news {
                Some(News::Replaced) => tracing::info!("{name} is used from now on"),
                Some(News::Trouble(why)) => tracing::warn!("the certificate in use stays: {why}"),
                Some(News::WellAgain) => tracing::info!("{name} is well again"),
                None => {}
            }
            if let Some(warning) = self.not_after().and_then(|end| expiry.warning(end, clock.now())) {
                tracing::warn!("{name} {warning}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

/// A connection over TLS to whoever answers at an address of this machine. Its certificate is not looked at, as it is one for another
/// name: who it is must be proven over it.
pub(crate) async fn connect_to_anybody(
    stream: TcpStream,
    name: ServerName<'static>,
) -> io::Result<client::TlsStream<TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Anybody(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Takes every certificate, and sees that whoever sent it has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::certificate::tests::{files, pair};

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_is_written_just_now_is_waited_for() {
        let folder = TempDir::new().unwrap();
        let (old, new) = (pair(), pair());
        let between = files(&folder, (&new.0, &old.1));
        let renewal = async {
            tokio::time::sleep(LOOK_AGAIN * 3 / 2).await;
            files(&folder, (&new.0, &new.1));
        };
        let (tls, ()) = tokio::join!(ServerTls::load(between), renewal);
        assert!(tls.is_ok(), "{:?}", tls.err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_fit_is_refused_at_the_start_by_its_file() {
        let folder = TempDir::new().unwrap();
        let (first, second) = (pair(), pair());
        for (certificate, key, words) in [
            (first.0.as_str(), second.1.as_str(), "cannot be used together"),
            (&first.0, "CANARY", "desk.key holds no private key"),
            ("CANARY", &first.1, "desk.pem holds no certificate"),
            (&first.1, &first.1, "desk.pem holds no certificate"),
        ] {
            let began = tokio::time::Instant::now();
            let refused = ServerTls::load(files(&folder, (certificate, key))).await;
            assert_eq!(began.elapsed().as_secs(), 5);
            let refused = refused.err().unwrap();
            assert!(refused.to_string().contains(words), "{refused}");
            assert!(!refused.to_string().contains("CANARY"), "{refused}");
        }
        let missing = TlsFiles {
            certificate: folder.path().join("none"),
            key: folder.path().join("none"),
        };
        assert!(matches!(
            ServerTls::load(missing).await,
            Err(TlsError::Unreadable { .. })
        ));
    }
}
