//! A listener's TLS: its certificate and key, from files that are looked at again while it listens. A pair that is not fit changes
//! nothing. What else a connection must be is decided elsewhere.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a pair that is not fit is looked at before it is refused, and how long after one another: a renewal may be between the
/// certificate and its key.
const LOOKS: u32 = 6;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where certificate and key are, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate in its file.
    #[error("{} holds no certificate. It must be a PEM file: -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in its file.
    #[error("{} holds no private key that can be used. It must be a PEM file, not encrypted: -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together, or TLS can do nothing with them.
    #[error("{} and {} cannot be used together: {source}", files.certificate.display(), files.key.display())]
    Unfit {
        /// Which.
        files: TlsFiles,
        /// Why.
        source: rustls::Error,
    },
}

/// TLS for a listener; clones share the certificate in use.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

/// The certificate in use, with what its files held.
struct Certificate {
    files: TlsFiles,
    in_use: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
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
        let in_use = Contents::of(&files)?.certified(&files, &provider)?;
        let unfit = |source| TlsError::Unfit {
            files: files.clone(),
            source,
        };
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth();
        let certificate = Arc::new(Certificate {
            files,
            in_use: ArcSwap::from_pointee(in_use),
            provider,
        });
        let config = config.with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
        })
    }

    /// Looks at the files now and then, and uses what they hold for connections from then on. Never returns.
    pub async fn follow(&self) -> std::convert::Infallible {
        let mut seen = None;
        loop {
            let certificate = Arc::clone(&self.certificate);
            let looked = tokio::task::spawn_blocking(move || certificate.look(seen)).await;
            seen = looked.unwrap_or(seen);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl Certificate {
    /// Takes what the files hold, unless it is what was looked at before. Returns what was looked at: what is not fit is told once.
    fn look(&self, seen: Option<u64>) -> Option<u64> {
        let contents = match Contents::of(&self.files) {
            Ok(contents) => contents,
            Err(error) => {
                tracing::warn!("the certificate in use stays: {error}");
                return seen;
            }
        };
        let looked_at = Some(contents.hash());
        if looked_at == seen {
            return seen;
        }
        match contents.certified(&self.files, &self.provider) {
            Ok(new) => {
                let is_new = self.in_use.load().cert != new.cert;
                self.in_use.store(Arc::new(new));
                if is_new {
                    tracing::info!("{} is used from now on", self.files.certificate.display());
                }
            }
            Err(error) => tracing::warn!("the certificate in use stays: {error}"),
        }
        looked_at
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_use.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.files).finish()
    }
}

/// What both files hold.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn of(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
        })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish()
    }

    fn certified(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let no_certificate = |_: pem::Error| TlsError::NoCertificate(files.certificate.clone());
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(no_certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(files.key.clone()))?;
        // It is compared with the certificate.
        CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Unfit {
            files: files.clone(),
            source,
        })
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
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    fn pair() -> (String, String) {
        let Made { cert, signing_key } = generate_simple_self_signed(["desk.example".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn files(folder: &TempDir, (certificate, key): (&str, &str)) -> TlsFiles {
        let files = TlsFiles {
            certificate: folder.path().join("desk.pem"),
            key: folder.path().join("desk.key"),
        };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    fn in_use(tls: &ServerTls) -> CertificateDer<'static> {
        tls.certificate.in_use.load().cert[0].clone()
    }

    #[test]
    fn a_new_pair_is_used_and_one_that_is_not_fit_changes_nothing() {
        let folder = TempDir::new().unwrap();
        let (first, second) = (pair(), pair());
        let tls = ServerTls::load_now(files(&folder, (&first.0, &first.1))).unwrap();
        let before = in_use(&tls);
        let mut seen = tls.certificate.look(None);
        for (certificate, key) in [
            (second.0.as_str(), first.1.as_str()),
            (&second.0, "no key"),
            ("no certificate", &second.1),
            ("", ""),
        ] {
            files(&folder, (certificate, key));
            seen = tls.certificate.look(seen);
            assert_eq!(in_use(&tls), before);
        }
        std::fs::remove_file(folder.path().join("desk.key")).unwrap();
        seen = tls.certificate.look(seen);
        assert_eq!(in_use(&tls), before);
        files(&folder, (&second.0, &second.1));
        tls.certificate.look(seen);
        assert_ne!(in_use(&tls), before);
    }

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
